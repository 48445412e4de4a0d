using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>A broker of the cluster, where it listens, and what the others know of it.</summary>
internal sealed record ClusterMember(int Id, string Host, int Port, bool IsUp = true, bool IsKnown = true);

/// <summary>Who leads a partition, in which epoch, and from when on it serves; a leader of -1: nobody.</summary>
internal sealed record PartitionState(IReadOnlyList<int> Replicas, int Leader, int Epoch, DateTimeOffset ServesFrom);

/// <summary>
/// Several brokers over the logs of one process: which of them leads what, who coordinates, and when each comes to know of what has
/// changed. Thread-safe. All times follow from the seed.
/// </summary>
internal sealed class Cluster(Broker broker, EmbeddedClusterOptions options) : IDisposable
{
    private const string MinInSync = "min.insync.replicas";
    private static readonly TopicPartition Groups = new(TopicStore.Offsets, 0);
    private static readonly TopicPartition Transactions = new(TopicStore.Transactions, 0);

    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<TopicPartition, PartitionState> _partitions = [];
    private readonly ConcurrentDictionary<Guid, DateTimeOffset> _made = [];
    private readonly List<ITimer> _timers = [];
    private ClusterMember[] _members = [];
    private int _told;

    public EmbeddedClusterOptions Options => options;

    public IReadOnlyList<ClusterMember> Members => Volatile.Read(ref _members);

    /// <summary>The brokers that clients learn of: also one that has died, until that is noticed.</summary>
    public IEnumerable<ClusterMember> Known => Members.Where(m => m.IsKnown);

    /// <summary>The partitions of the topics that there are, once it is known where the brokers listen.</summary>
    public void Begin(IReadOnlyList<ClusterMember> members)
    {
        Volatile.Write(ref _members, [.. members]);
        foreach (Topic topic in broker.Topics.All)
            Take(topic, DateTimeOffset.MinValue, isNew: true);
        // A cluster is formatted with this one in its configs, and not as a default of its brokers (KIP-966).
        IReadOnlyDictionary<string, string> set = broker.Configs.ValuesOf(BrokerConfigs.Cluster);
        if (!set.ContainsKey(MinInSync))
            broker.Configure(BrokerConfigs.Cluster, new Dictionary<string, string>(set) { [MinInSync] = "1" }, validateOnly: false);
        Elected(Groups);
        Elected(Transactions);
    }

    /// <summary>A topic that was made: its leaders are named before they serve.</summary>
    public void Made(Topic topic)
    {
        DateTimeOffset now = broker.Time.GetUtcNow();
        _made[topic.Id] = now;
        Take(topic, now, isNew: true);
    }

    /// <summary>A topic that may have more partitions than before.</summary>
    public void Changed(Topic topic) => Take(topic, broker.Time.GetUtcNow(), isNew: false);

    public PartitionState? StateOf(TopicPartition partition) => _partitions.GetValueOrDefault(partition);

    /// <summary>Whether a broker knows of the topic already.</summary>
    public bool Sees(int node, Topic topic) =>
        !_made.TryGetValue(topic.Id, out DateTimeOffset made)
            || broker.Time.GetUtcNow() >= made + Within(options.TopicDelay, 0, $"topic {topic.Name} {node}");

    /// <summary>The replicas of a partition that are not known to be down.</summary>
    public IEnumerable<int> InSync(PartitionState state) => state.Replicas.Where(r => Members.Any(m => m.Id == r && m.IsKnown));

    /// <summary>The broker that coordinates; null: none at present.</summary>
    public ClusterMember? CoordinatorOf(bool transactions) =>
        Members.FirstOrDefault(m => m.Id == StateOf(transactions ? Transactions : Groups)?.Leader);

    /// <summary>Whether a broker can answer as coordinator.</summary>
    public ErrorCode CheckCoordinator(int node, bool transactions)
    {
        PartitionState? state = StateOf(transactions ? Transactions : Groups);
        return state?.Leader != node ? ErrorCode.NotCoordinator
            : broker.Time.GetUtcNow() < state.ServesFrom ? ErrorCode.CoordinatorLoadInProgress
            : ErrorCode.None;
    }

    /// <summary>
    /// Whom clients are told as the controller: any broker, as KRaft does, be it one that has died and is not missed yet.
    /// </summary>
    public int NextController()
    {
        ClusterMember[] known = [.. Known];
        string turn = Interlocked.Increment(ref _told).ToString(CultureInfo.InvariantCulture);
        return known.Length == 0 ? -1 : known[(int)(Hash("controller " + turn) % (ulong)known.Length)].Id;
    }

    /// <summary>How long after its end was answered the markers of a transaction are written.</summary>
    public TimeSpan MarkerDelay(string transaction, short epoch) =>
        Within(options.MarkerDelay, 1.0 / 3, string.Create(CultureInfo.InvariantCulture, $"markers {transaction} {epoch}"));

    /// <summary>A broker has stopped, and has said so, or has died: then the others notice it only later.</summary>
    public void Stopped(int node, bool noticed)
    {
        Change(node, m => m with { IsUp = false });
        if (noticed)
            Notice(node);
        else
            Later(options.BrokerSessionTimeout, () => Notice(node));
    }

    /// <summary>A broker is there again, and leads what has no leader.</summary>
    public void Started(int node)
    {
        Change(node, m => m with { IsUp = true, IsKnown = true });
        Elect(s => s.Leader < 0);
    }

    public void Dispose()
    {
        lock (_lock)
            _timers.ForEach(t => t.Dispose());
    }

    private void Notice(int node)
    {
        if (Members.First(m => m.Id == node).IsUp)
            return; // it came back in time
        Change(node, m => m with { IsKnown = false });
        Elect(s => s.Leader == node);
    }

    private void Take(Topic topic, DateTimeOffset made, bool isNew)
    {
        for (int partition = 0; partition < topic.Partitions; partition++)
        {
            var key = new TopicPartition(topic.Name, partition);
            if (!isNew && _partitions.ContainsKey(key))
                continue;
            int factor = topic.IsInternal ? Math.Min(3, Members.Count) : Math.Min(topic.ReplicationFactor, Members.Count);
            int first = (int)(Hash("leader " + topic.Name) % (ulong)Members.Count) + partition;
            int[] replicas = [.. Enumerable.Range(0, factor).Select(r => Members[(first + r) % Members.Count].Id)];
            int epoch = broker.Logs.Get(key)?.LeaderEpoch ?? 0;
            int leader = replicas.Where(r => Members.Any(m => m.Id == r && m.IsUp)).DefaultIfEmpty(-1).First();
            Put(key, new PartitionState(replicas, leader, epoch,
                made == DateTimeOffset.MinValue ? made : made + options.TopicDelay + LeaderDelay(key, epoch)));
        }
    }

    private void Elect(Func<PartitionState, bool> isOut)
    {
        DateTimeOffset now = broker.Time.GetUtcNow();
        foreach ((TopicPartition partition, PartitionState state) in _partitions.ToArray())
        {
            if (!isOut(state))
                continue;
            int leader = InSync(state).DefaultIfEmpty(-1).First();
            if (leader == state.Leader)
                continue;
            int epoch = state.Epoch + 1;
            Put(partition, state with { Leader = leader, Epoch = epoch, ServesFrom = now + LeaderDelay(partition, epoch) });
            if (partition == Groups || partition == Transactions)
                Elected(partition);
            broker.Signal(partition); // who waits at the old one is told
        }
    }

    // Who becomes coordinator loads first; then members have a full session to come back.
    private void Elected(TopicPartition partition)
    {
        if (StateOf(partition) is not { Leader: >= 0 } state)
            return;
        DateTimeOffset now = broker.Time.GetUtcNow();
        _partitions[partition] = state with
        {
            ServesFrom = now + Within(options.CoordinatorLoad, 1.0 / 3,
                string.Create(CultureInfo.InvariantCulture, $"load {partition} {state.Epoch}")),
        };
        if (partition == Groups)
            broker.Groups.OnElected();
    }

    private void Put(TopicPartition partition, PartitionState state)
    {
        _partitions[partition] = state;
        if (broker.Logs.Get(partition) is { } log)
            log.LeaderEpoch = state.Epoch;
    }

    private void Change(int node, Func<ClusterMember, ClusterMember> change)
    {
        lock (_lock)
            Volatile.Write(ref _members, [.. _members.Select(m => m.Id == node ? change(m) : m)]);
    }

    private void Later(TimeSpan delay, Action action)
    {
        ITimer timer = BackgroundTimer.Create(broker.Time, broker.Logger, "The session of a broker", action);
        lock (_lock)
            _timers.Add(timer);
        timer.Change(delay, Timeout.InfiniteTimeSpan);
    }

    private TimeSpan LeaderDelay(TopicPartition partition, int epoch) =>
        Within(options.LeaderDelay, 1.0 / 5, string.Create(CultureInfo.InvariantCulture, $"serve {partition} {epoch}"));

    // Between a part of it and all of it.
    private TimeSpan Within(TimeSpan most, double least, string what) => most * (least + ((1 - least) * (Hash(what) % 1_000 / 999.0)));

    private ulong Hash(string what) => XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(what), options.Seed);
}
