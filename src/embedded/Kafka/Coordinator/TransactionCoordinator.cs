using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The states of a transaction; the numbers are those of <c>__transaction_state</c>.</summary>
internal enum TransactionState : sbyte
{
    Empty = 0,
    Ongoing = 1,
    PrepareCommit = 2,
    PrepareAbort = 3,
    CompleteCommit = 4,
    CompleteAbort = 5,
}

/// <summary>One transactional id.</summary>
internal sealed class TransactionMetadata(string id)
{
    public string Id => id;

    public long ProducerId { get; set; } = -1;

    public short ProducerEpoch { get; set; } = -1;

    public int TimeoutMs { get; set; }

    public TransactionState State { get; set; }

    public HashSet<TopicPartition> Partitions { get; } = [];

    public long StartedAt { get; set; } = -1;
}

/// <summary>
/// Transactions (Apache Kafka, KIP-98). Markers are written to all partitions before an answer is given, so a transaction that was ended is over. State changes are first written to
/// <c>__transaction_state</c>, then made; recovery makes the same ones.
/// </summary>
internal sealed class TransactionCoordinator
{
    private const int MaxTimeoutMs = 15 * 60 * 1000;
    private const int ReadBytes = 1024 * 1024;
    private const short FencedVersion = 2;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, TransactionMetadata> _byId = [];
    private readonly Dictionary<long, TransactionMetadata> _byProducer = [];
    private readonly UnifiedLog _log;
    private readonly Broker _broker;

    public TransactionCoordinator(UnifiedLog log, Broker broker) => (_log, _broker) = (log, broker);

    /// <summary>Reads the log from its start, and ends what was being ended.</summary>
    public void Load()
    {
        for (long offset = _log.LogStartOffset; offset < _log.LogEndOffset;)
        {
            byte[] records = _log.Read(offset, ReadBytes, readCommitted: false, minOne: true).Records;
            if (records.Length == 0)
                break;
            for (int at = 0; at < records.Length;)
            {
                var batch = new RecordBatch(records.AsSpan(at));
                foreach (LogRecord record in RecordReader.Read(records.AsMemory(at, batch.Size)))
                    Replay(record);
                offset = batch.LastOffset + 1;
                at += batch.Size;
            }
        }

        lock (_lock)
        {
            foreach (TransactionMetadata transaction in _byId.Values.ToArray())
            {
                if (transaction.State is TransactionState.PrepareCommit or TransactionState.PrepareAbort)
                    Complete(transaction, transaction.State == TransactionState.PrepareCommit);
            }
        }
    }

    public InitProducerIdResponse InitProducerId(InitProducerIdRequest request)
    {
        if (request.TransactionalId is not { } id)
            return new InitProducerIdResponse { ProducerId = _broker.NextProducerId(), ProducerEpoch = 0 };
        if (id.Length == 0)
            return new InitProducerIdResponse { ErrorCode = (short)ErrorCode.InvalidRequest };
        if (request.TransactionTimeoutMs is <= 0 or > MaxTimeoutMs)
            return new InitProducerIdResponse { ErrorCode = (short)ErrorCode.InvalidTransactionTimeout };

        lock (_lock)
        {
            if (!_byId.TryGetValue(id, out TransactionMetadata? transaction))
                _byId.Add(id, transaction = new TransactionMetadata(id));
            // A producer that names its own id and epoch goes on (KIP-360); one that was fenced meanwhile must not.
            if (request.ProducerId >= 0 && (request.ProducerId != transaction.ProducerId || request.ProducerEpoch != transaction.ProducerEpoch))
                return new InitProducerIdResponse { ErrorCode = (short)ErrorCode.ProducerFenced };
            Bump(transaction);
            if (transaction.State == TransactionState.Ongoing)
                End(transaction, commit: false);
            transaction.TimeoutMs = request.TransactionTimeoutMs;
            transaction.State = TransactionState.Empty;
            Persist(transaction);
            return new InitProducerIdResponse { ProducerId = transaction.ProducerId, ProducerEpoch = transaction.ProducerEpoch };
        }
    }

    public AddPartitionsToTxnResponse AddPartitions(AddPartitionsToTxnRequest request, short version)
    {
        lock (_lock)
        {
            ErrorCode error = Check(request.TransactionalId, request.ProducerId, request.ProducerEpoch, version, out TransactionMetadata? transaction);
            bool missing = request.Topics.Any(t => t.Partitions.Any(p => _broker.LogOf(t.Name, p) is null));
            if (error == ErrorCode.None && !missing)
                Add(transaction!, request.Topics.SelectMany(t => t.Partitions.Select(p => new TopicPartition(t.Name, p))));
            return new AddPartitionsToTxnResponse
            {
                Results = request.Topics.ConvertAll(t => new AddPartitionsToTxnResponse.TopicItem
                {
                    Name = t.Name,
                    Partitions = t.Partitions.ConvertAll(p => new AddPartitionsToTxnResponse.TopicItem.PartitionItem
                    {
                        PartitionIndex = p,
                        PartitionErrorCode = (short)(error != ErrorCode.None ? error : _broker.LogOf(t.Name, p) is null ? ErrorCode.UnknownTopicOrPartition : ErrorCode.None),
                    }),
                }),
            };
        }
    }

    public AddOffsetsToTxnResponse AddOffsets(AddOffsetsToTxnRequest request, short version)
    {
        lock (_lock)
        {
            ErrorCode error = Check(request.TransactionalId, request.ProducerId, request.ProducerEpoch, version, out TransactionMetadata? transaction);
            if (error == ErrorCode.None)
                Add(transaction!, [new TopicPartition(TopicStore.Offsets, 0)]);
            return new AddOffsetsToTxnResponse { ErrorCode = (short)error };
        }
    }

    public TxnOffsetCommitResponse CommitOffsets(TxnOffsetCommitRequest request, short version)
    {
        lock (_lock)
        {
            ErrorCode error = Check(request.TransactionalId, request.ProducerId, request.ProducerEpoch, version, out TransactionMetadata? transaction);
            if (error == ErrorCode.None && (transaction!.State != TransactionState.Ongoing || !transaction.Partitions.Contains(new TopicPartition(TopicStore.Offsets, 0))))
                error = ErrorCode.InvalidTxnState;
            // Of this request an old epoch is told as such; only later versions of other requests know the fenced error.
            if (error == ErrorCode.ProducerFenced)
                error = ErrorCode.InvalidProducerEpoch;
            return _broker.Groups.CommitInTransaction(request, error);
        }
    }

    public EndTxnResponse EndTransaction(EndTxnRequest request, short version)
    {
        lock (_lock)
        {
            ErrorCode error = Check(request.TransactionalId, request.ProducerId, request.ProducerEpoch, version, out TransactionMetadata? transaction);
            if (error == ErrorCode.None)
            {
                TransactionState done = request.Committed ? TransactionState.CompleteCommit : TransactionState.CompleteAbort;
                if (transaction!.State == TransactionState.Ongoing)
                    End(transaction, request.Committed);
                else if (transaction.State != done)
                    error = ErrorCode.InvalidTxnState;
            }

            return new EndTxnResponse { ErrorCode = (short)error };
        }
    }

    /// <summary>Whether a transactional batch may be appended: its producer must not be fenced, and the partition must be in its transaction.</summary>
    public ErrorCode CheckProduce(string? transactionalId, long producerId, short producerEpoch, TopicPartition partition)
    {
        lock (_lock)
        {
            if (!_byProducer.TryGetValue(producerId, out TransactionMetadata? transaction) || (transactionalId is not null && transaction.Id != transactionalId))
                return ErrorCode.InvalidProducerIdMapping;
            if (producerEpoch != transaction.ProducerEpoch)
                return ErrorCode.InvalidProducerEpoch;
            return transaction.State == TransactionState.Ongoing && transaction.Partitions.Contains(partition) ? ErrorCode.None : ErrorCode.InvalidTxnState;
        }
    }

    /// <summary>Aborts transactions whose time is over; their producers are fenced.</summary>
    public void AbortExpired()
    {
        lock (_lock)
        {
            long now = Now();
            foreach (TransactionMetadata transaction in _byId.Values)
            {
                if (transaction.State != TransactionState.Ongoing || now - transaction.StartedAt < transaction.TimeoutMs)
                    continue;
                Bump(transaction);
                End(transaction, commit: false);
            }
        }
    }

    private long Now() => _broker.Time.GetUtcNow().ToUnixTimeMilliseconds();

    private ErrorCode Check(string id, long producerId, short epoch, short version, out TransactionMetadata? transaction)
    {
        if (!_byId.TryGetValue(id, out transaction) || transaction.ProducerId != producerId)
            return ErrorCode.InvalidProducerIdMapping;
        if (epoch != transaction.ProducerEpoch)
            return version >= FencedVersion ? ErrorCode.ProducerFenced : ErrorCode.InvalidProducerEpoch;
        return ErrorCode.None;
    }

    private void Bump(TransactionMetadata transaction)
    {
        if (transaction.ProducerId >= 0 && transaction.ProducerEpoch < short.MaxValue - 1)
        {
            transaction.ProducerEpoch++;
            return;
        }

        if (transaction.State == TransactionState.Ongoing)
        {
            // The epochs of the id are used up: its transaction ends under the last one.
            transaction.ProducerEpoch = short.MaxValue;
            End(transaction, commit: false);
        }

        _byProducer.Remove(transaction.ProducerId);
        transaction.ProducerId = _broker.NextProducerId();
        transaction.ProducerEpoch = 0;
        _byProducer[transaction.ProducerId] = transaction;
    }

    private void Add(TransactionMetadata transaction, IEnumerable<TopicPartition> partitions)
    {
        int before = transaction.Partitions.Count;
        if (transaction.State != TransactionState.Ongoing)
        {
            transaction.Partitions.Clear();
            before = -1;
            transaction.State = TransactionState.Ongoing;
            transaction.StartedAt = Now();
        }

        transaction.Partitions.UnionWith(partitions);
        if (transaction.Partitions.Count != before)
            Persist(transaction);
    }

    private void End(TransactionMetadata transaction, bool commit)
    {
        transaction.State = commit ? TransactionState.PrepareCommit : TransactionState.PrepareAbort;
        Persist(transaction); // from here on the outcome is decided
        Complete(transaction, commit);
    }

    private void Complete(TransactionMetadata transaction, bool commit)
    {
        foreach (TopicPartition partition in transaction.Partitions)
        {
            if (partition.Topic == TopicStore.Offsets)
                _broker.Groups.EndTransaction(transaction.ProducerId, transaction.ProducerEpoch, commit, coordinatorEpoch: 0);
            else
                _broker.Logs.Get(partition)?.AppendEndTransactionMarker(transaction.ProducerId, transaction.ProducerEpoch, commit, coordinatorEpoch: 0);
        }

        transaction.Partitions.Clear();
        transaction.StartedAt = -1;
        transaction.State = commit ? TransactionState.CompleteCommit : TransactionState.CompleteAbort;
        Persist(transaction);
    }

    private void Persist(TransactionMetadata transaction)
    {
        using var writer = new KafkaWriter();
        writer.WriteInt16(0);
        new TransactionLogKey { TransactionalId = transaction.Id }.Write(writer, 0);
        byte[] key = writer.Written.ToArray();
        writer.Reset();
        writer.WriteInt16(0);
        new TransactionLogValue
        {
            ProducerId = transaction.ProducerId,
            ProducerEpoch = transaction.ProducerEpoch,
            TransactionTimeoutMs = transaction.TimeoutMs,
            TransactionStatus = (sbyte)transaction.State,
            TransactionPartitions = [.. transaction.Partitions.GroupBy(p => p.Topic).Select(g => new TransactionLogValue.PartitionsOfTopic { Topic = g.Key, PartitionIds = [.. g.Select(p => p.Partition)] })],
            TransactionLastUpdateTimestampMs = Now(),
            TransactionStartTimestampMs = transaction.StartedAt,
        }.Write(writer, 0);
        AppendResult appended = _log.Append(RecordBatchBuilder.Build([(key, writer.Written.ToArray())], Now()), isClient: false);
        if (appended.Error != ErrorCode.None)
            throw new InvalidOperationException($"The transaction state cannot be written: {appended.Error} {appended.Message}");
    }

    private void Replay(LogRecord record)
    {
        if (record.Key is not { } keyBytes || record.Value is not { } valueBytes)
            return;
        var keyReader = new KafkaReader(keyBytes);
        if (keyReader.ReadInt16() != 0)
            return;
        TransactionLogKey key = TransactionLogKey.Read(ref keyReader, 0);
        var valueReader = new KafkaReader(valueBytes);
        TransactionLogValue value = TransactionLogValue.Read(ref valueReader, valueReader.ReadInt16());
        if (!_byId.TryGetValue(key.TransactionalId, out TransactionMetadata? transaction))
            _byId.Add(key.TransactionalId, transaction = new TransactionMetadata(key.TransactionalId));
        _byProducer.Remove(transaction.ProducerId);
        transaction.ProducerId = value.ProducerId;
        transaction.ProducerEpoch = value.ProducerEpoch;
        transaction.TimeoutMs = value.TransactionTimeoutMs;
        transaction.State = (TransactionState)value.TransactionStatus;
        transaction.StartedAt = value.TransactionStartTimestampMs;
        transaction.Partitions.Clear();
        foreach (TransactionLogValue.PartitionsOfTopic topic in value.TransactionPartitions ?? [])
            transaction.Partitions.UnionWith(topic.PartitionIds.Select(p => new TopicPartition(topic.Topic, p)));
        _byProducer[value.ProducerId] = transaction;
    }
}
