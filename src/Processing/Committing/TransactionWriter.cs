using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Hands events, replies and snapshots of one partition to its transactional producer. Owned by the partition task's thread.
/// </summary>
/// <remarks>
/// The last record for each topic partition is held back until the transaction has no more, and its delivery report is asked for: when all
/// of these are in, all is delivered. <c>rd_kafka_flush</c> is not a substitute: while another thread takes the delivery reports, as in
/// Confluent's client, it looks again after 10 ms only, and so does a commit, which flushes first.
/// </remarks>
internal sealed class TransactionWriter : IDisposable
{
    private const int Spins = 1_000;

    private readonly IProducer<byte[], byte[]> _producer;
    private readonly AvroMessageSerde _serde;
    private readonly ProcessorEncoders _encoders;
    private readonly TopicPartition _events;
    private readonly TopicPartition _snapshots;
    private readonly TopicPartition _owners;
    private readonly TopicPartition _deadLetters;
    private readonly string _replies;
    private readonly int _partition;
    private readonly PooledBuffer _buffer = new();
    private readonly Dictionary<Type, Header> _types = [];
    private readonly Header _specVersion = new(CloudEventHeaders.SpecVersion, CloudEventHeaders.SpecVersion10);
    private readonly Header _source;
    private readonly Header _replyType;
    private readonly Dictionary<TopicPartition, HeldRecord> _held = [];
    private readonly ManualResetEventSlim _delivered = new(initialState: true);
    private readonly EventHeaders[] _eventHeaders = [new(), new()];
    private int _turn;
    private long _transaction;
    private int _awaited;
    private long _lastEventOffset = -1;

    public TransactionWriter(IProducer<byte[], byte[]> producer, AvroMessageSerde serde, ProcessorEncoders encoders, TopicFamily topics,
        int partition)
    {
        (_producer, _serde, _encoders, _partition) = (producer, serde, encoders, partition);
        _events = new TopicPartition(topics.Events, partition);
        _snapshots = new TopicPartition(topics.Snapshots, partition);
        _owners = new TopicPartition(topics.Owners, partition);
        _deadLetters = new TopicPartition(topics.DeadLetters, partition);
        _replies = topics.Replies;
        _source = new Header(CloudEventHeaders.Source, Encoding.UTF8.GetBytes($"/{topics.Application}/{topics.Aggregate}"));
        _replyType = new Header(CloudEventHeaders.Type, Encoding.UTF8.GetBytes(AvroRecordType.Of<CommandReply>().FullName));
    }

    /// <summary>
    /// The offset that Kafka has given the transaction's last event; -1 while it is not delivered. Once <see cref="AwaitDelivery"/> has
    /// returned it is known.
    /// </summary>
    public long LastEventOffset => Volatile.Read(ref _lastEventOffset);

    /// <summary>Begins a transaction; what was written and never sent is forgotten.</summary>
    public void Begin()
    {
        _held.Clear();
        Interlocked.Increment(ref _transaction);
        _awaited = 0;
        _delivered.Set();
        Volatile.Write(ref _lastEventOffset, -1);
        _producer.BeginTransaction();
    }

    /// <summary>
    /// Sends what is held back: nothing more is written in this transaction, but perhaps for topic partitions that have nothing yet.
    /// </summary>
    public void Complete()
    {
        if (_held.Count == 0)
            return;
        Interlocked.Add(ref _awaited, _held.Count);
        _delivered.Reset();
        long transaction = _transaction;
        foreach ((TopicPartition target, HeldRecord held) in _held)
        {
            bool isEvent = target == _events;
            Send(target, held.Message, report =>
            {
                held.Report?.Invoke(report);
                Delivered(transaction, isEvent ? report.Offset.Value : -1);
            });
        }

        _held.Clear();
    }

    /// <summary>Waits until all that was written is delivered or has failed.</summary>
    public void AwaitDelivery(CancellationToken cancellationToken)
    {
        Complete();
        _delivered.Wait(cancellationToken);
        // The report comes a moment before librdkafka stops to count its record.
        for (int spin = 0; spin < Spins && _producer.Flush(TimeSpan.Zero) > 0; spin++)
            Thread.Yield();
    }

    public void Dispose() => _delivered.Dispose();

    /// <summary>Writes an event; the last one of a batch from the command topic has the batch's <paramref name="input"/>.</summary>
    public void WriteEvent(in DecidedEvent decided, InputMark? input)
    {
        _turn ^= 1; // of the events one at a time is held back here: two are enough
        Produce(_events, decided.Aggregate.Key, decided.Value,
            _eventHeaders[_turn].Of(decided, _specVersion, _source, TypeOf(decided.Payload.GetType()), input));
    }

    public void WriteReply(IncomingCommand command, CommandOutcome outcome, int replyPartitions)
    {
        CommandReply reply = OutcomeReplies.ToReply(command, outcome, _partition);
        var headers = new Headers
        {
            _replyType,
            _source,
            { CloudEventHeaders.CausationId, Encoding.UTF8.GetBytes(reply.CommandId) },
        };
        if (command.ReplyClient is { } client)
            headers.Add(CloudEventHeaders.ReplyTo, client);
        int partition = command.ReplyPartition >= 0 && command.ReplyPartition < replyPartitions
            ? command.ReplyPartition
            : _partition % replyPartitions;
        Produce(new TopicPartition(_replies, partition), Encoding.UTF8.GetBytes(reply.AggregateId),
            Encode(_encoders.Replies, reply), headers);
    }

    public void WriteDeadLetter(Message<byte[], byte[]> entry) => Produce(_deadLetters, entry);

    /// <summary>
    /// Puts a command that lies on the wrong partition on the right one. When Kafka does not take it there, now or ever, the command is
    /// told so before the transaction fails.
    /// </summary>
    public void WriteForwarded(TopicPartition target, IncomingCommand command, int partitions, int replyPartitions) =>
        Produce(target, MisplacedCommand.Forwarded(command, partitions, replyPartitions), report =>
        {
            if (report.Error.Code is ErrorCode.MsgSizeTooLarge or ErrorCode.RecordListTooLarge or ErrorCode.InvalidTimestamp
                or ErrorCode.InvalidRecord or ErrorCode.InvalidMsg)
                command.RefuseForward(report.Error.Reason);
        });

    public void Write(TopicPartition target, Message<byte[], byte[]> message) => Produce(target, message);

    public void WriteSnapshot(AggregateEntry entry, StateStore store, string stateSchema)
    {
        _buffer.Clear();
        var state = new AvroWriter(_buffer, _serde.Protection, entry.Id.Value, marksErased: true);
        ((IAvroRecord)entry.State).WriteTo(ref state);
        state.Flush();
        byte[] stateBytes = _buffer.WrittenSpan.ToArray();
        _buffer.Clear();
        var snapshot = new AggregateSnapshot
        {
            Version = entry.Version,
            EventOffset = entry.EventOffset,
            StateSchema = stateSchema,
            State = stateBytes,
            RecentCommands = store.RecentOutcomes(entry),
        };
        IReadOnlyList<AggregateSnapshot> parts = SnapshotParts.Split(snapshot);
        for (int i = 0; i < parts.Count; i++)
            Produce(_snapshots, i == 0 ? entry.Key : SnapshotParts.KeyOf(entry.Key, i), Encode(_encoders.Snapshots, parts[i]),
                TypeOnly(snapshot));
    }

    public void WriteBarrier(SnapshotBarrier barrier) =>
        Produce(_snapshots, SnapshotReader.BarrierKey, Encode(_encoders.Snapshots, barrier), TypeOnly(barrier));

    /// <summary>Deletes the marker: the snapshots before it are of no use any more.</summary>
    public void WithdrawBarrier() => Produce(_snapshots, SnapshotReader.BarrierKey, null, []);

    public void WritePosition(PartitionPosition position) =>
        Produce(_snapshots, SnapshotReader.PositionKey, Encode(_encoders.Snapshots, position), TypeOnly(position));

    public void WriteOwner(PartitionOwner owner) =>
        Produce(_owners, CloudEventHeaders.Encode(_partition), Encode(_encoders.Owners, owner), TypeOnly(owner));

    /// <summary>
    /// A record that means nothing and makes a transaction: without value, so that whoever waits for replies passes it by.
    /// </summary>
    public void WriteFence(int replyPartitions) =>
        Produce(new TopicPartition(_replies, _partition % replyPartitions), null, null, []);

    private Headers TypeOnly(IAvroRecord value) => new() { TypeOf(value.GetType()) };

    private byte[] Encode(TopicEncoder encoder, IAvroRecord value)
    {
        _buffer.Clear();
        encoder.Encode(value, _buffer);
        byte[] encoded = _buffer.WrittenSpan.ToArray();
        _buffer.Clear();
        return encoded;
    }

    private Header TypeOf(Type type)
    {
        if (!_types.TryGetValue(type, out Header? header))
            _types.Add(type, header = new Header(CloudEventHeaders.Type, Encoding.UTF8.GetBytes(_serde.TypeOf(type).FullName)));
        return header;
    }

    private void Produce(TopicPartition target, byte[]? key, byte[]? value, Headers headers) =>
        Produce(target, new Message<byte[], byte[]> { Key = key!, Value = value!, Headers = headers });

    private void Produce(TopicPartition target, Message<byte[], byte[]> message, Action<DeliveryReport<byte[], byte[]>>? report = null)
    {
        if (_held.Remove(target, out HeldRecord before))
            Send(target, before.Message, before.Report);
        _held.Add(target, new HeldRecord(message, report));
    }

    private void Delivered(long transaction, long eventOffset)
    {
        if (transaction != Interlocked.Read(ref _transaction))
            return; // it was aborted
        if (eventOffset >= 0)
            Volatile.Write(ref _lastEventOffset, eventOffset);
        if (Interlocked.Decrement(ref _awaited) == 0)
            _delivered.Set();
    }

    private void Send(TopicPartition target, Message<byte[], byte[]> message, Action<DeliveryReport<byte[], byte[]>>? report)
    {
        while (true)
        {
            try
            {
                _producer.Produce(target, message, report);
                return;
            }
            catch (ProduceException<byte[], byte[]> full) when (full.Error.Code == ErrorCode.Local_QueueFull)
            {
                _producer.Flush(TimeSpan.FromMilliseconds(100)); // waits until there is room, or a while
            }
        }
    }

    private readonly record struct HeldRecord(Message<byte[], byte[]> Message, Action<DeliveryReport<byte[], byte[]>>? Report);
}

/// <summary>What encodes for the topics that a partition task writes.</summary>
internal sealed record ProcessorEncoders(TopicEncoder Events, TopicEncoder Replies, TopicEncoder Snapshots, TopicEncoder Owners,
    TopicEncoder? Timers, ProcessRoutes Routes);
