using System.Collections.Concurrent;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// What a subscription keeps of one aggregate type: positions and parked aggregates. It is in the subscription's topic, one partition for
/// each of the events, and in the group's committed offsets, both in one transaction; so an offset that Kafka has dropped is known still,
/// and an events topic that is another one is noticed. Thread-safe.
/// </summary>
internal sealed partial class SubscriptionLedger : IPositionKeeper, IAsyncDisposable
{
    private static readonly TimeSpan WriteInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Attempt = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LastWrite = TimeSpan.FromSeconds(5);

    private readonly KafkaConnection _connection;
    private readonly string _group;
    private readonly string _events;
    private readonly string _ledger;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly LedgerWriter _writer;
    private readonly RequestTail _requests;
    private readonly IAdminClient _admin;
    private readonly ConcurrentDictionary<int, SubscriptionPartition> _partitions = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public SubscriptionLedger(KafkaConnection connection, string group, TopicFamily topics, string subscription, TimeProvider time,
        ILogger logger)
    {
        (_connection, _group, _events, _ledger, _time, _logger) = (connection, group, topics.Events, topics.Subscription(subscription),
            time, logger);
        _admin = connection.BuildAdmin();
        _writer = new LedgerWriter(connection, group, _events, _ledger, time, logger);
        _requests = new RequestTail(connection, group, _ledger, Ask, logger);
        _running = Task.Run(Run);
        HandlerTelemetry.Watch(group, this);
    }

    /// <summary>Acts on what operators ask of a partition, as long as this node has it; set before anything is assigned.</summary>
    public required Func<SubscriptionPartition, Task> Work { private get; init; }

    /// <summary>The partitions that this node has.</summary>
    public IReadOnlyCollection<SubscriptionPartition> Partitions => [.. _partitions.Values];

    /// <summary>How many offsets of a partition are not handled yet, by its number, as of the last look.</summary>
    public ConcurrentDictionary<int, long> Lags { get; } = [];

    public SubscriptionPartition? Find(int partition) => _partitions.GetValueOrDefault(partition);

    /// <summary>
    /// Says where a new subscription begins, before any partition of it is assigned: so that it begins there, wherever its partitions go.
    /// Blocks.
    /// </summary>
    /// <param name="startOf">Where <see cref="SubscriptionStart"/> is in a partition.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public void Prepare(Func<TopicPartition, long> startOf, CancellationToken cancellationToken)
    {
        using var reader = new LedgerReader(_connection, _ledger, Foreign);
        int[] fresh = [.. TopicPartitions.Of(_admin, _events, Patience).Where(p =>
            reader.Read(p, cancellationToken) is { Begin: null, Position: null })];
        if (fresh.Length == 0)
            return;
        TopicId topic = TopicOf(cancellationToken);
        IReadOnlyDictionary<int, long> committed = Committed(fresh, cancellationToken);
        using IProducer<byte[], byte[]?> producer = new ProducerBuilder<byte[], byte[]?>(_connection.Producer()).SetLogHandler(
            (_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        foreach (int partition in fresh.Where(p => !committed.ContainsKey(p)))
        {
            var mark = new LedgerMark(topic, startOf(new TopicPartition(_events, partition)));
            producer.ProduceAsync(new TopicPartition(_ledger, partition), LedgerFormat.BeginAt(mark, _time.GetUtcNow()),
                cancellationToken).GetAwaiter().GetResult();
            LogBegins(_logger, _group, _events, partition, mark.Next);
        }
    }

    /// <inheritdoc/>
    public long Begin(int partition, IConsumer<byte[], byte[]> member, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(member);
        _writer.Member = member;
        long? committed = Committed(partition, member, cancellationToken); // first: it waits for what a member before is about to write
        LedgerState state;
        using (var reader = new LedgerReader(_connection, _ledger, Foreign))
            state = reader.Read(partition, cancellationToken);
        LedgerMark position = Place(partition, committed, state, cancellationToken);
        var taken = new SubscriptionPartition(partition, position, state);
        _partitions[partition] = taken;
        taken.Work = Work(taken);
        _requests.Add(partition, state.End);
        if (taken.ParkedCount > 0)
            LogParked(_logger, _group, _events, partition, taken.ParkedCount);
        return position.Next;
    }

    /// <inheritdoc/>
    public void Handled(int partition, long next) => Find(partition)?.Advance(next);

    /// <inheritdoc/>
    public void End(int partition, TimeSpan patience)
    {
        if (!_partitions.TryRemove(partition, out SubscriptionPartition? left))
            return;
        _requests.Remove(partition);
        Lags.TryRemove(partition, out _);
        left.Close();
        if (!left.Work.Wait(patience))
            LogAbandoned(_logger, _group, partition, patience);
        _ = left.Work.ContinueWith(_ => left.Dispose(), TaskScheduler.Default);
        if (left.Position == left.Written)
            return;
        using var late = new CancellationTokenSource(LastWrite, _time);
        try
        {
            _writer.Write(partition, left.Position, [], late.Token).GetAwaiter().GetResult();
        }
        catch (Exception failed) when (failed is KafkaException or OperationCanceledException)
        {
            LogNotWritten(_logger, failed, _group, partition); // the next owner handles again what is not known to be handled
        }
    }

    /// <summary>Writes <paramref name="records"/> of a partition, with its position.</summary>
    public async Task Write(SubscriptionPartition partition, IReadOnlyList<Message<byte[], byte[]?>> records,
        CancellationToken cancellationToken)
    {
        LedgerMark position = partition.Position;
        await _writer.Write(partition.Number, position, records, cancellationToken).ConfigureAwait(false);
        partition.Written = position;
    }

    public async ValueTask DisposeAsync()
    {
        HandlerTelemetry.Unwatch(this);
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _requests.DisposeAsync().ConfigureAwait(false);
        await _writer.DisposeAsync().ConfigureAwait(false);
        _admin.Dispose();
        _stop.Dispose();
    }

    private static string At(LedgerMark mark) => string.Create(CultureInfo.InvariantCulture,
        $"offset {mark.Next} of the topic with the id '{mark.Topic}'");

    private LedgerMark Place(int partition, long? committed, LedgerState state, CancellationToken cancellationToken)
    {
        string where = string.Create(CultureInfo.InvariantCulture, $"{_events}, partition {partition}");
        string anew = $"To begin anew where the subscription says, end its nodes, and delete the group {_group} and the topic {_ledger}; "
            + $"what was parked is forgotten then.";
        LedgerMark mark = state.Position ?? state.Begin
            ?? throw new PartitionHaltedException(
                $"The group {_group} has an offset for {where}, and the topic {_ledger} knows of none: it was made anew, and which "
                    + $"aggregates are parked is lost. {anew}");
        TopicId topic = TopicOf(cancellationToken);
        if (mark.Topic.Differs(topic))
            throw new PartitionHaltedException($"{where}, is another one than before: its id is '{topic}', and the subscription was "
                + $"at {At(mark)}. Nothing is skipped or handled again unasked. {anew}");
        using PartitionLogReader reader = PartitionLogReader.ToEnd(_connection, $"{_group}-look", patience: Patience);
        WatermarkOffsets bounds = reader.Bounds(new TopicPartition(_events, partition), cancellationToken);
        LedgerMark position = new(topic, committed ?? mark.Next);
        string reset = $"To go on elsewhere, end the subscription's nodes and set the group's offset: kafka-consumer-groups "
            + $"--group {_group} --topic {_events} --reset-offsets.";
        if (position.Next < bounds.Low.Value)
            throw new PartitionHaltedException(string.Create(CultureInfo.InvariantCulture,
                $"{where}, begins at offset {bounds.Low.Value}, and the subscription goes on from {position.Next}: the events between "
                    + $"were deleted before it had handled them. {reset}"));
        if (position.Next > bounds.High.Value)
            throw new PartitionHaltedException(string.Create(CultureInfo.InvariantCulture,
                $"{where}, ends at offset {bounds.High.Value}, and the subscription has handled it up to {position.Next}: it has lost "
                    + $"events. {reset}"));
        if (committed is null && state.Position is not null)
            LogExpired(_logger, _group, _events, partition, position.Next);
        else if (committed is { } moved && state.Position is { } known && known.Next != moved)
            LogMoved(_logger, _group, _events, partition, known.Next, moved);
        return position;
    }

    private long? Committed(int partition, IConsumer<byte[], byte[]> member, CancellationToken cancellationToken)
    {
        var patience = new KafkaPatience(Patience, TimeProvider.System);
        while (true)
        {
            try
            {
                Offset committed = member.Committed([new TopicPartition(_events, partition)], Attempt)[0].Offset;
                return committed == Offset.Unset ? null : committed.Value;
            }
            catch (KafkaException away) when (patience.Outlasts(away.Error))
            {
                patience.Wait(cancellationToken);
            }
        }
    }

    private Dictionary<int, long> Committed(int[] partitions, CancellationToken cancellationToken)
    {
        using IConsumer<byte[], byte[]> asking = new ConsumerBuilder<byte[], byte[]>(_connection.Consumer(_group)).SetLogHandler(
            (_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        return partitions.Select(p => (Partition: p, Offset: Committed(p, asking, cancellationToken))).Where(c => c.Offset is not null)
            .ToDictionary(c => c.Partition, c => c.Offset!.Value);
    }

    private TopicId TopicOf(CancellationToken cancellationToken) =>
        TopicIds.OfAsync(_admin, [_events], Patience, cancellationToken).GetAwaiter().GetResult().TryGetValue(_events, out TopicId id)
            ? id
            : throw new KafkaException(new Error(ErrorCode.UnknownTopicOrPart, $"The topic {_events} is not there."));

    private void Ask(int partition, SubscriptionRequest request) => Find(partition)?.Ask(request);

    private void Foreign(string message) => LogForeign(_logger, message);

    private async Task Run()
    {
        using var timer = new PeriodicTimer(WriteInterval, _time);
        long looked = _time.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                await Task.WhenAll(_partitions.Values.Where(p => p.Position != p.Written).Select(WritePosition)).ConfigureAwait(false);
                if (_time.GetElapsedTime(looked) < LookInterval || _partitions.IsEmpty)
                    continue;
                await Look().ConfigureAwait(false);
                looked = _time.GetTimestamp();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task WritePosition(SubscriptionPartition partition)
    {
        try
        {
            await Write(partition, [], partition.Closing).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // It goes: who gives it up writes it.
        }
        catch (Exception failed) when (failed is KafkaException or ObjectDisposedException)
        {
            LogNotWritten(_logger, failed, _group, partition.Number); // it is written with the next
        }
    }

    private async Task Look()
    {
        try
        {
            TopicPartition[] mine = [.. _partitions.Keys.Select(p => new TopicPartition(_events, p))];
            foreach ((int partition, long end) in await PartitionOffsets.ListAsync(_admin, mine, OffsetSpec.Latest(), Attempt,
                _stop.Token).ConfigureAwait(false))
            {
                if (Find(partition) is { } still)
                    Lags[partition] = Math.Max(0, end - still.Position.Next);
            }
        }
        catch (KafkaException away)
        {
            LogNotSeen(_logger, away, _group, _events);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Group} is new and begins {Topic}, partition {Partition}, at {Offset}")]
    private static partial void LogBegins(ILogger logger, string group, string topic, int partition, long offset);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Group} has lost its offset for {Topic}, partition {Partition}: Kafka drops those of a group that was away for long. "
            + "It goes on from {Offset}, which the subscription's own topic has")]
    private static partial void LogExpired(ILogger logger, string group, string topic, int partition, long offset);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Group} had handled {Topic}, partition {Partition}, up to {Known}, and its offset is {Committed}: somebody has moved "
            + "it, and it goes on from there")]
    private static partial void LogMoved(ILogger logger, string group, string topic, int partition, long known, long committed);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Group}: {Count} aggregates of {Topic}, partition {Partition}, are parked; 'kes subscriptions show' says why")]
    private static partial void LogParked(ILogger logger, string group, string topic, int partition, int count);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Group}: how far partition {Partition} is handled could not be written; it is written with the next events, or they "
            + "are handled again")]
    private static partial void LogNotWritten(ILogger logger, Exception failure, string group, int partition);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "{Group}: a handler of partition {Partition} that was tried again goes on {Patience} after its cancellation. The "
            + "partition is given up without it")]
    private static partial void LogAbandoned(ILogger logger, string group, int partition, TimeSpan patience);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Group}: how many events of {Topic} wait cannot be seen now")]
    private static partial void LogNotSeen(ILogger logger, Exception failure, string group, string topic);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Message}")]
    private static partial void LogForeign(ILogger logger, string message);
}
