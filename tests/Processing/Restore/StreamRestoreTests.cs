using System.Text;
using Confluent.Kafka;
using Counting;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>A store that is filled from snapshots of event streams is the one that is folded from the log, or it is not filled.</summary>
public sealed class StreamRestoreTests(ProcessingFixture fixture) : IClassFixture<ProcessingFixture>, IDisposable
{
    private const int MarkEvery = 4;
    private const string Digest = "00000001000000020000000000000003/any";
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);
    private static readonly TopicIdentities Now = new(WrittenLog.Commands, TopicId.From(1, 2), TopicId.From(1, 3), TopicId.From(1, 4),
        default);

    private readonly TemporaryFolder _folder = new();
    private readonly TopicFamily _topics = new(TestServers.UniqueName("streams"), "counter");
    private readonly LinesLogger _log = new();
    private readonly Dictionary<string, Counted> _folded = [];
    private WrittenStream _stream = null!;
    private WrittenLog _events = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _stream?.Dispose();
        _events?.Dispose();
        _folder.Dispose();
    }

    // A stream that is killed, aborted, behind or ahead leaves what it leaves: the store is the fold of the log all the same.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public async Task Restore_from_streams_gives_state_outcomes_and_input_of_a_fold_of_the_log(int seed)
    {
        var random = new Random(seed);
        await Begin();
        _events.Write(random, 60);
        int read = Stream(random, _events.All.Count);
        int later = random.Next(0, 3) * 7;
        _events.Write(random, later);
        if (random.Next(2) == 0)
            StreamFrom(read, _events.All.Count, MarkEvery * 100); // ahead of its mark
        if (random.Next(2) == 0)
            LeaveOpen();

        long end = _events.End();
        PartitionPosition recorded = Now.At(_events.InputBefore(end / 2), end / 2);
        Restored streams = Restore(_stream.Topic, recorded);
        Restored log = Restore(null, recorded);
        streams.Cover.ShouldNotBeNull(_log.Text);
        streams.Content.ShouldBe(log.Content);
        (streams.Checkpoint, streams.Aggregates).ShouldBe((log.Checkpoint, log.Aggregates));
        InputMark.Farthest(Now.Commands, streams.Input, new InputMark(Now.Commands, recorded.NextCommandOffset))
            .ShouldBe(InputMark.Farthest(Now.Commands, log.Input));
        streams.Events.ShouldBeLessThan(log.Events);
        // The next barrier, should there be barriers again, has what no barrier ever had.
        streams.Changed.ShouldBe(log.Changed);
    }

    [Fact]
    public async Task Restore_that_was_cut_off_goes_on_with_aggregates_that_are_ahead()
    {
        await Begin();
        _events.Write(new Random(7), 40);
        StreamFrom(0, 8, MarkEvery);
        StreamFrom(8, 30, 1_000);
        PartitionPosition recorded = Now.At(_events.InputBefore(_events.End()), _events.End());
        PartitionContext context = Context(_stream.Topic, "cut");
        using (StateStore store = Opening(context).Open(Parked(context), Now, recorded, Cancellation).Store)
        {
            store.Cover.ShouldNotBeNull(_log.Text).Ahead.ShouldBeGreaterThan(store.Checkpoint);
            store.Flush(); // killed before it has folded
        }

        Restore(_stream.Topic, recorded, "cut").Content.ShouldBe(Restore(null, recorded).Content);
    }

    [Theory]
    [InlineData(Flaw.NoTopic, "it is not there: the streams have not run yet")]
    [InlineData(Flaw.NoMark, "it has no mark")]
    [InlineData(Flaw.Dropped, "aggregates were dropped from it")]
    [InlineData(Flaw.Deleted, "deletes a snapshot")]
    [InlineData(Flaw.OtherState, "its states are of another schema")]
    [InlineData(Flaw.MadeAgain, "it was made again")]
    [InlineData(Flaw.FewCommands, "its snapshots remember 255 commands of an aggregate, and 256 are needed")]
    [InlineData(Flaw.BegunLater, "its streams have begun with the event at offset 3, and there are events before")]
    [InlineData(Flaw.Garbage, "The value is not in Confluent's wire format.")]
    [InlineData(Flaw.NewerMark, "has a mark that this version does not know")]
    [InlineData(Flaw.NoPosition, "no position of the partition's owners reaches as far")]
    public async Task Snapshots_that_cannot_be_used_are_said_and_the_events_are_folded(Flaw flaw, string told)
    {
        await Begin(flaw == Flaw.OtherState ? AvroRecordType.Of<Added>() : null);
        _events.Write(new Random(8), 20);
        _stream.Begin();
        FoldInto(0, 10, mark: null);
        switch (flaw)
        {
            case Flaw.Dropped:
                _stream.Dropped(9);
                break;
            case Flaw.Deleted:
                _stream.Put("a"u8.ToArray(), null);
                break;
            case Flaw.Garbage:
                _stream.Put("z"u8.ToArray(), [1, 2, 3]);
                break;
            case Flaw.NewerMark:
                _stream.Put([0, .. "other"u8], [1]);
                break;
        }

        if (flaw != Flaw.NoMark)
            _stream.Mark(_events.All[9].Offset, Now.Events, flaw == Flaw.MadeAgain ? TopicId.From(7, 7) : default,
                flaw == Flaw.BegunLater ? 3 : 0, flaw == Flaw.FewCommands ? 255 : 256);
        _stream.Commit();

        PartitionPosition? recorded = flaw == Flaw.NoPosition ? null : Now.At(0, _events.End());
        Restored streams = Restore(flaw == Flaw.NoTopic ? "nobody-wrote-it" : _stream.Topic, recorded);
        streams.Cover.ShouldBeNull();
        _log.Text.ShouldContain(told);
        streams.Content.ShouldBe(Restore(null, recorded).Content);
    }

    [Fact]
    public async Task Snapshots_that_are_short_of_an_event_are_found_by_the_next_and_the_events_are_folded()
    {
        await Begin();
        _events.WriteOne("a", 1, "c1");
        _events.WriteOne("a", 2, "c2");
        _events.WriteOne("b", 3, "c3");
        _events.WriteOne("a", 4, "c4");
        _stream.Begin();
        FoldInto(0, 1, mark: null); // what has lost the second event of a, and has its mark
        _stream.Mark(_events.All[2].Offset, Now.Events);
        _stream.Commit();
        PartitionPosition recorded = Now.At(0, _events.End());
        Restore(_stream.Topic, recorded).Content.ShouldBe(Restore(null, recorded).Content);
        _log.Text.ShouldContain("are not complete");
    }

    [Theory]
    [InlineData(true, "was deleted and made again. Reset the streams")]
    [InlineData(false, "have events up to 901: it has lost events")]
    public async Task Snapshots_of_another_log_are_refused(bool isKnown, string told)
    {
        await Begin();
        _events.Write(new Random(9), 20);
        _stream.Begin();
        FoldInto(0, 10, mark: null);
        _stream.Mark(isKnown ? 5 : 900, isKnown ? TopicId.From(9, 9) : Now.Events);
        _stream.Commit();
        Should.Throw<UnexpectedLogException>(() => Restore(_stream.Topic, Now.At(0, _events.End()))).Message.ShouldContain(told);
    }

    // Streams fold an event again that an operator has discarded here, or have folded one that this node could not.
    [Fact]
    public async Task Snapshots_are_not_used_where_events_were_put_aside()
    {
        await Begin();
        _events.Write(new Random(10), 20);
        StreamFrom(0, 20, MarkEvery);
        PartitionContext context = Context(_stream.Topic, "parked");
        ParkedAggregates parked = Parked(context);
        parked.Break(AggregateId.Parse("a"), 1_000, ParkingCauses.Unfoldable, "no");
        using StateStore store = Opening(context).Open(parked, Now, Now.At(0, _events.End()), Cancellation).Store;
        (store.Cover, store.Checkpoint).ShouldBe((null, 0));
        _log.Text.ShouldContain("put aside for an operator");
    }

    [Fact]
    public async Task Barrier_that_was_withdrawn_is_not_loaded()
    {
        await Begin();
        _events.Write(new Random(11), 5);
        PartitionContext context = Context(null, "withdrawn");
        TopicEncoder encoder = await context.Serde.PrepareAsync(_topics.Snapshots, [typeof(SnapshotBarrier)], Cancellation);
        var marker = new System.Buffers.ArrayBufferWriter<byte>();
        encoder.Encode(new SnapshotBarrier { NextEventOffset = 3, Aggregates = 0, Time = ProcessingFixture.RecordTime }, marker);
        using (IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(fixture.Kafka.Producer()).Build())
        {
            foreach (byte[]? value in new[] { marker.WrittenSpan.ToArray(), null })
                producer.Produce(new TopicPartition(_topics.Snapshots, 0),
                    new Message<byte[], byte[]> { Key = SnapshotReader.BarrierKey, Value = value! });
            producer.Flush(Cancellation);
        }

        using StateStore store = Opening(context).Open(Parked(context), Now, null, Cancellation).Store;
        store.Checkpoint.ShouldBe(0);
    }

    public enum Flaw { NoTopic, NoMark, Dropped, Deleted, OtherState, MadeAgain, FewCommands, BegunLater, Garbage, NewerMark, NoPosition }

    private async Task Begin(AvroRecordType? state = null)
    {
        using (var provisioner = new TopicProvisioner(fixture.Kafka))
            await provisioner.ApplyAsync(await provisioner.PlanAsync(TopicDeclaration.For(_topics, 1, -1), Cancellation), Cancellation);
        _events = new WrittenLog(fixture, _topics, Digest);
        _stream = await WrittenStream.CreateAsync(fixture.Kafka, fixture.Registry, state);
    }

    private PartitionContext Context(string? streams, string folder) => new(Counter.Definition, _topics, fixture.Kafka, fixture.Serde,
        fixture.Encoders, new NodeIdentity("n"), 1, 1, null!,
        new CommandProcessorOptions { StateDirectory = _folder.Child(folder), StreamSnapshots = streams }, TimeProvider.System, _log);

    private static StoreOpening Opening(PartitionContext context) => new(context, 0, new SchemaRegistryRetry(context.Logger, 0));

    private static ParkedAggregates Parked(PartitionContext context) => new(context.Topics, 0, TimeProvider.System);

    private Restored Restore(string? streams, PartitionPosition? recorded, string? folder = null)
    {
        PartitionContext context = Context(streams, folder ?? Guid.CreateVersion7().ToString("N"));
        ParkedAggregates parked = Parked(context);
        StateStore? used = null;
        try
        {
            return StoreRestore.Run(context, Opening(context), parked, Now, recorded, Use, Replay, Cancellation);
        }
        finally
        {
            used?.Dispose();
        }

        void Use(StateStore? store)
        {
            if (store is null)
                used!.Dispose();
            used = store;
        }

        Restored Replay(OpenedStore opened)
        {
            StateStore store = opened.Store;
            SnapshotCover? cover = store.Cover;
            var folder = new EventFolder(context, 0, new SchemaRegistryRetry(context.Logger, 0), store,
                new AggregateCache(store, context.Definition, 1_000_000), parked);
            long events = new EventReplay(fixture.Kafka, folder).Run(opened.End,
                (_, _, message) => throw new InvalidOperationException(message), Cancellation);
            return new Restored(store.Checkpoint, store.Aggregates, store.Input, Content(store), events, cover,
                string.Join(' ', store.Changed()));
        }
    }

    private string Content(StateStore store)
    {
        var text = new StringBuilder();
        foreach (AggregateView view in store.ReadAll(0))
        {
            text.AppendLine($"{view.AggregateId} {view.Version} {((Count)view.State).Total} {view.Token}");
            AggregateEntry entry = store.Load(view.AggregateId)!;
            foreach (string command in _events.All.Where(e => e.Aggregate == view.AggregateId.Value).Select(e => e.Command).Distinct())
                text.AppendLine(store.TryGetOutcome(entry, command, out RememberedOutcome outcome) ? outcome.ToString() : $"no {command}");
        }

        return text.ToString();
    }

    // Transactions of a few events each; an aborted one is not rolled back in the store of the streams, which go on from the event that was
    // committed last. Returns how many events are committed.
    private int Stream(Random random, int count)
    {
        int committed = 0;
        while (committed < count - random.Next(0, 10))
        {
            int next = Math.Min(count, committed + random.Next(1, 9));
            _stream.Begin();
            FoldInto(committed, next, random.Next(4) > 0 ? MarkEvery : 1_000);
            switch (random.Next(4))
            {
                case 0:
                    _stream.Abort();
                    break;
                default:
                    _stream.Commit();
                    committed = next;
                    break;
            }
        }

        _stream.Begin();
        FoldInto(0, 1, 1); // so that there is a mark: a start from the first event again
        _stream.Commit();
        StreamFrom(1, committed, MarkEvery);
        return committed;
    }

    private void StreamFrom(int from, int to, int mark)
    {
        _stream.Begin();
        FoldInto(from, to, mark);
        _stream.Commit();
    }

    // What a process leaves that is killed: records that are not committed, the mark of events that nobody has read among them.
    private void LeaveOpen()
    {
        _stream.Begin();
        _stream.Put("a", new Counted(99, 99, 99, []));
        _stream.Mark(99, Now.Events);
        _stream.Kill();
    }

    private void FoldInto(int from, int to, int? mark)
    {
        for (int i = from; i < to; i++)
        {
            WrittenEvent written = _events.All[i];
            Counted before = _folded.GetValueOrDefault(written.Aggregate, new Counted(0, -1, 0, []));
            if (written.Version > before.Version)
            {
                var command = new CountedCommand(written.Command, written.Version, written.Offset, Digest);
                _folded[written.Aggregate] = before = new Counted(written.Version, written.Offset, before.Total + written.By,
                    [.. before.Commands.Where(c => c.Id != written.Command), command]);
            }

            _stream.Put(written.Aggregate, before);
            if (mark is { } every && (i + 1) % every == 0)
                _stream.Mark(written.Offset, Now.Events);
        }
    }

    private sealed record Restored(long Checkpoint, long Aggregates, InputMark? Input, string Content, long Events, SnapshotCover? Cover,
        string Changed);

    private sealed class LinesLogger : ILogger
    {
        private readonly StringBuilder _lines = new();

        public string Text => _lines.ToString();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => _lines.AppendLine(formatter(state, exception));
    }
}
