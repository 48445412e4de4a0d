using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Crash;

/// <summary>
/// <c>kill -9</c> at random moments under load: what was acknowledged stays, once and in order; transactions are whole; producers go on.
/// <c>KES_KILL_ROUNDS</c> says how many kills, and <c>KES_KILL_SEED</c> with which seed. The seed decides load and moments, not how
/// processes are scheduled.
/// </summary>
public sealed class KillTests
{
    private const int DefaultRounds = 6;
    private const int RoundsOfALife = 10;

    private static readonly LoadTopic[] Topics =
    [
        new("plain", 3, LaneRules.None, ("segment.bytes", "1048576")),
        new("flushed", 2, LaneRules.None, ("flush.messages", "1")),
        new("compacted", 2, LaneRules.Compacted, ("cleanup.policy", "compact"), ("internal.segment.bytes", "524288"),
            ("min.cleanable.dirty.ratio", "0.01"), ("delete.retention.ms", "100"), ("file.delete.delay.ms", "100")),
        new("tx", 2, LaneRules.Transactional, ("segment.bytes", "1048576")),
        new("tx-flushed", 1, LaneRules.Transactional, ("flush.messages", "1")),
        new("tx-compacted", 1, LaneRules.Transactional | LaneRules.Compacted, ("cleanup.policy", "compact"),
            ("internal.segment.bytes", "524288"), ("min.cleanable.dirty.ratio", "0.01"), ("delete.retention.ms", "60000"),
            ("file.delete.delay.ms", "100")),
    ];

    private readonly int _rounds = Setting("KES_KILL_ROUNDS", DefaultRounds);
    private readonly int _seed = Setting("KES_KILL_SEED", 20_260_201);
    private readonly ITestOutputHelper _output = TestContext.Current.TestOutputHelper!;
    private int _round;
    private int _killedWhileStarting;
    private int _tornTails;
    private long _acknowledged;
    private long _transactions;
    private int _requiredAborts;

    [Fact]
    public async Task Broker_killed_under_load_keeps_what_it_acknowledged_and_its_producers_go_on()
    {
        var random = new Random(_seed);
        long started = TimeProvider.System.GetTimestamp();
        while (_round < _rounds)
        {
            await Live(random.Next(), Math.Min(RoundsOfALife, _rounds - _round));
            _output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"seed {_seed}: {_round} kills and {_killedWhileStarting} more while it started, {_tornTails} torn tails, {_acknowledged} "
                    + $"records acknowledged, {_transactions} transactions with a known end, {_requiredAborts} aborts demanded, "
                    + $"in {TimeProvider.System.GetElapsedTime(started)}"));
        }
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value) ? value : otherwise;

    // One folder, from the first start to the last.
    private async Task Live(int seed, int rounds)
    {
        var random = new Random(seed);
        string folder = Directory.CreateTempSubdirectory("kes-kill-").FullName;
        try
        {
            await using var broker = new BrokerProcess(folder, BrokerProcess.FreePort(random));
            broker.Launch();
            await broker.WaitUntilReady();
            Create(broker.Address);
            await using (var load = new Load(broker.Address, Topics, seed))
            {
                for (int i = 0; i < rounds; i++, _round++)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(random.Next(700)), TimeProvider.System);
                    if (random.Next(2) == 0)
                    {
                        load.SendLarge(4);
                        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(20)), TimeProvider.System);
                    }

                    await Restart(broker, random);
                    Check(broker, load, isOver: false);
                }

                await load.Finish();
                Check(broker, load, isOver: true);
                await Restart(broker, random);
                Check(broker, load, isOver: true);
                await broker.Stop();
                broker.Launch();
                await broker.WaitUntilReady();
                Check(broker, load, isOver: true);
                _acknowledged += load.Acknowledged;
                _transactions += load.Transactions.Values.Count(t => t.Outcome != Outcome.Unknown);
                _requiredAborts += load.RequiredAborts;
            }

            _tornTails += broker.Log.Count(line => line.Contains("torn or corrupt", StringComparison.Ordinal));
            broker.Log.Where(line => !line.StartsWith("Warning:", StringComparison.Ordinal)).ShouldBeEmpty();
        }
        catch (Exception failure)
        {
            throw new InvalidOperationException($"seed {_seed}, round {_round}, life of seed {seed} in {folder}: {failure.Message}",
                failure);
        }

        Directory.Delete(folder, recursive: true);
    }

    private async Task Restart(BrokerProcess broker, Random random)
    {
        await broker.Kill();
        while (random.Next(5) == 0)
        {
            broker.Launch();
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(600)), TimeProvider.System);
            await broker.Kill();
            _killedWhileStarting++;
        }

        broker.Launch();
        await broker.WaitUntilReady();
    }

    private static void Create(string address)
    {
        using var client = new RawClient(address);
        var request = new CreateTopicsRequest
        {
            TimeoutMs = 30_000,
            Topics = [.. Topics.Select(t => new CreateTopicsRequest.CreatableTopic
            {
                Name = t.Name,
                NumPartitions = t.Partitions,
                ReplicationFactor = 1,
                Configs = [.. t.Configs.Select(c =>
                    new CreateTopicsRequest.CreatableTopic.CreatableConfig { Name = c.Name, Value = c.Value })],
            })],
        };
        client.Ask<CreateTopicsRequest, CreateTopicsResponse>(request, 7, CreateTopicsResponse.Read).Topics.ShouldAllBe(t =>
            t.ErrorCode == 0);
    }

    // What was known before the log is read must be in it; what is known after must not contradict it.
    private static void Check(BrokerProcess broker, Load load, bool isOver)
    {
        load.Faults.ShouldBeEmpty();
        (Lane Lane, (Fate Fate, long Offset)[] Sent)[] lanes = [.. load.Lanes.Select(l => (l, l.Snapshot()))];
        SentTransaction[] committed = [.. load.Transactions.Values.Where(t => t.Outcome == Outcome.Committed)];
        (long plainCommitted, _) = load.PlainPosition;
        using var client = new RawClient(broker.Address);
        var visible = new Dictionary<Lane, VisibleRecords>();
        foreach (var partition in lanes.GroupBy(l => l.Lane.Partition))
        {
            bool compacted = partition.First().Lane.Rules.HasFlag(LaneRules.Compacted);
            ILookup<int, SeenRecord> seen = PartitionReader.Read(client, partition.Key, readCommitted: false, compacted).Records.ToLookup(
                s => s.Producer);
            foreach ((Lane lane, (Fate Fate, long Offset)[] sent) in partition)
            {
                SeenRecord[] own = [.. seen[lane.Producer]];
                CheckOrder(lane, own);
                CheckAcknowledged(lane, sent, own, isOver);
            }

            if (!partition.First().Lane.Rules.HasFlag(LaneRules.Transactional))
                continue;
            (List<SeenRecord> stable, long stableEnd) = PartitionReader.Read(client, partition.Key, readCommitted: true, compacted);
            stable.Where(s => load.Transactions.TryGetValue(s.Transaction, out SentTransaction? t) && t.Outcome == Outcome.Aborted)
                .ShouldBeEmpty($"{partition.Key}: records of aborted transactions are visible");
            foreach ((Lane lane, (Fate Fate, long Offset)[] sent) in partition)
            {
                SeenRecord[] own = [.. stable.Where(s => s.Producer == lane.Producer)];
                CheckOrder(lane, own);
                // Behind the last stable offset, that of an older transaction which is open still, nothing need be visible.
                visible[lane] = new VisibleRecords([.. own.Select(s => s.Sequence)],
                    [.. Enumerable.Range(0, sent.Length).Where(i =>
                        sent[i].Fate == Fate.Acknowledged && sent[i].Offset >= 0 && sent[i].Offset < stableEnd)]);
            }
        }

        CheckTransactions(committed, visible, isOver);
        CheckPositions(client, load, committed, plainCommitted);
        load.Faults.ShouldBeEmpty();
    }

    private static void CheckOrder(Lane lane, SeenRecord[] own)
    {
        for (int i = 1; i < own.Length; i++)
            own[i].Sequence.ShouldBeGreaterThan(own[i - 1].Sequence,
                $"{lane.Partition} offset {own[i].Offset}: producer {lane.Producer} repeats or turns around");
        if (lane.Rules.HasFlag(LaneRules.NoGaps) && own.Length > 0)
            own[^1].Sequence.ShouldBe(own.Length - 1, $"{lane.Partition}: producer {lane.Producer} has gaps");
        if (own.Length > 0)
            own[^1].Sequence.ShouldBeLessThan(lane.Count);
    }

    private static void CheckAcknowledged(Lane lane, (Fate Fate, long Offset)[] sent, SeenRecord[] own, bool isOver)
    {
        if (isOver && !lane.Rules.HasFlag(LaneRules.Transactional))
            sent.ShouldAllBe(s => s.Fate != Fate.Unknown);
        if (lane.Rules.HasFlag(LaneRules.Compacted))
        {
            if (lane.Rules.HasFlag(LaneRules.Transactional))
                return; // what is visible is checked by transaction
            var last = own.GroupBy(s => s.Sequence % Lane.Keys).ToDictionary(g => g.Key, g => g.Last().Sequence);
            for (int i = 0; i < sent.Length; i++)
            {
                if (sent[i].Fate == Fate.Acknowledged)
                    last.GetValueOrDefault(i % Lane.Keys, -1).ShouldBeGreaterThanOrEqualTo(i,
                        $"{lane.Partition}: the last value of a key of producer {lane.Producer} is lost");
            }

            return;
        }

        var offsets = own.ToDictionary(s => s.Sequence, s => s.Offset);
        for (int i = 0; i < sent.Length; i++)
        {
            if (sent[i].Fate != Fate.Acknowledged)
                continue;
            offsets.TryGetValue(i, out long offset).ShouldBeTrue(
                $"{lane.Partition}: record {i} of producer {lane.Producer}, acknowledged at {sent[i].Offset}, is lost");
            if (sent[i].Offset >= 0)
                offset.ShouldBe(sent[i].Offset, $"{lane.Partition}: record {i} of producer {lane.Producer}");
        }

        if (isOver && lane.Rules.HasFlag(LaneRules.NoGaps))
            own.Length.ShouldBe(sent.Length);
    }

    private static void CheckTransactions(SentTransaction[] committed, Dictionary<Lane, VisibleRecords> visible, bool isOver)
    {
        foreach (IGrouping<Lane, (Lane Lane, int Sequence)> records in committed.SelectMany(t => t.Records).GroupBy(r => r.Lane))
        {
            Lane lane = records.Key;
            int[] expected = [.. records.Select(r => r.Sequence).Where(visible[lane].Stable.Contains).Order()];
            if (!lane.Rules.HasFlag(LaneRules.Compacted))
            {
                expected.Except(visible[lane].Sequences).ShouldBeEmpty(
                    $"{lane.Partition}: records of committed transactions of producer {lane.Producer} are not visible");
                continue;
            }

            foreach (IGrouping<int, int> key in expected.GroupBy(s => s % Lane.Keys))
                visible[lane].Sequences.Where(s => s % Lane.Keys == key.Key).DefaultIfEmpty(-1).Max().ShouldBeGreaterThanOrEqualTo(
                    key.Last(), $"{lane.Partition}: the last committed value of key {key.Key} of producer {lane.Producer} is lost");
        }

        if (!isOver)
            return;
        var all = committed.SelectMany(t => t.Records).ToHashSet();
        foreach ((Lane lane, VisibleRecords records) in visible)
            records.Sequences.ShouldAllBe(s => all.Contains(ValueTuple.Create(lane, s)));
    }

    private static void CheckPositions(RawClient client, Load load, SentTransaction[] committed, long plainCommitted)
    {
        long plain = PositionOf(client, Load.PlainGroup);
        plain.ShouldBeInRange(plainCommitted, load.PlainPosition.Tried);
        foreach (var producer in committed.Where(t => t.Position >= 0).GroupBy(t => t.Id % 10))
        {
            long position = PositionOf(client, Load.TransactionalGroup(producer.Key));
            position.ShouldBeGreaterThanOrEqualTo(producer.Max(t => t.Position), $"group of producer {producer.Key}");
            load.Transactions[(int)(position * 10) + producer.Key].Outcome.ShouldNotBe(Outcome.Aborted,
                $"group of producer {producer.Key}: the offset {position} of an aborted transaction counts");
        }
    }

    private static long PositionOf(RawClient client, string group)
    {
        var request = new OffsetFetchRequest { Groups = [new OffsetFetchRequest.Group { GroupId = group, Topics = null }] };
        List<OffsetFetchResponse.Group.GroupTopic> topics = client.Ask<OffsetFetchRequest, OffsetFetchResponse>(request, 9,
            OffsetFetchResponse.Read).Groups[0].Topics;
        return topics.Count == 0 ? -1 : topics[0].Partitions[0].CommittedOffset;
    }

    /// <summary>What a read-committed reader saw of a lane, and what is acknowledged below the last stable offset.</summary>
    private sealed record VisibleRecords(HashSet<int> Sequences, HashSet<int> Stable);
}
