using System.Collections.Concurrent;
using Confluent.Kafka;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// A consumer that gives what is there of some topics in <see cref="RecordBatch"/>es, and waits for nothing that is not there yet. Records
/// of other topics come one by one. Of one thread, as every consumer of Streamiz.
/// </summary>
/// <remarks>
/// Streamiz must take one record a poll: of those that it has taken and not handed to a task it forgets none when a rebalance comes in the
/// same poll, and the task of after has them twice. What was read here and not given yet is dropped.
/// </remarks>
internal sealed class BatchingConsumer : DelegatingConsumer
{
    /// <summary>About so many bytes are in all batches at most.</summary>
    public const int MaxBytes = 4 * 1024 * 1024;

    private static readonly TimeSpan CommittedTimeout = TimeSpan.FromSeconds(15);

    private readonly IReadOnlySet<string> _batched;
    private readonly int _maxRecords;
    private readonly int _maxBytes;
    private readonly ThreadOwnership _ownership;
    private readonly Queue<ConsumeResult<byte[], byte[]>> _ready = new();
    private readonly Dictionary<TopicPartition, RecordBatch> _open = [];
    private IConsumerGroupMetadata? _member;
    private ConsumeException? _failure;
    private readonly ConcurrentDictionary<TopicPartition, long> _read = []; // the last record of each that comes in batches
    private long _singly;
    private bool _isUnsubscribed;
    private long _polled = TimeProvider.System.GetTimestamp();

    /// <summary>
    /// Gives records of <paramref name="batched"/> together: at most so many, and about so many bytes, in all batches; the first
    /// <paramref name="singly"/> one by one.
    /// </summary>
    public BatchingConsumer(IReadOnlySet<string> batched, int maxRecords, int maxBytes, ThreadOwnership ownership, int singly = 0) =>
        (_batched, _maxRecords, _maxBytes, _ownership, _singly) = (batched, maxRecords, maxBytes, ownership, singly);

    /// <summary>Whether all that was read of <paramref name="partition"/> is before <paramref name="next"/>. Thread-safe.</summary>
    public bool HasNothingBehind(TopicPartition partition, long next) => _read.GetValueOrDefault(partition, -1) < next;

    /// <summary>Reads by <paramref name="inner"/> from now on.</summary>
    public BatchingConsumer ReadBy(IConsumer<byte[], byte[]> inner)
    {
        Inner = inner;
        return this;
    }

    /// <summary>
    /// Drops what was read of <paramref name="partitions"/> and not given: they belong to others now, or are read again from what is
    /// committed.
    /// </summary>
    public void Drop(IEnumerable<TopicPartition> partitions)
    {
        HashSet<TopicPartition> gone = [.. partitions];
        foreach (TopicPartition partition in gone)
        {
            _open.Remove(partition);
            _read.TryRemove(partition, out _);
        }

        for (int left = _ready.Count; left > 0; left--)
        {
            ConsumeResult<byte[], byte[]> record = _ready.Dequeue();
            if (!gone.Contains(record.TopicPartition))
                _ready.Enqueue(record);
        }
    }

    /// <summary>
    /// Asks Kafka whether this is still a member of its group when it has not polled for <paramref name="silence"/>: a process that was
    /// stopped for longer than its session goes on with what it had in its hands, and is told at the next poll.
    /// </summary>
    /// <exception cref="KafkaException">It is none.</exception>
    public void Confirm(TimeSpan silence)
    {
        if (TimeProvider.System.GetElapsedTime(_polled) < silence)
            return;
        // The same again, or where it began: it is taken of members alone.
        List<TopicPartitionOffset> committed = [.. Inner.Committed(Inner.Assignment, CommittedTimeout)
            .Select(c => c.Offset.Value >= 0 ? c
                : new TopicPartitionOffset(c.TopicPartition, Inner.GetWatermarkOffsets(c.TopicPartition).Low))
            .Where(c => c.Offset.Value >= 0)];
        if (committed.Count > 0)
            Commit(committed);
        _polled = TimeProvider.System.GetTimestamp();
    }

    /// <inheritdoc/>
    public override ConsumeResult<byte[], byte[]>? Consume(TimeSpan timeout)
    {
        ConsumeResult<byte[], byte[]>? record = Next(timeout);
        _polled = TimeProvider.System.GetTimestamp();
        return record;
    }

    private ConsumeResult<byte[], byte[]>? Next(TimeSpan timeout)
    {
        if (_ready.TryDequeue(out ConsumeResult<byte[], byte[]>? ready))
            return ready;
        if (_failure is { } failure)
        {
            _failure = null;
            throw failure;
        }

        ConsumeResult<byte[], byte[]>? record = Inner.Consume(timeout);
        if (record is null || record.Message is null || !_batched.Contains(record.Topic))
            return record;
        Collect(record);
        foreach (RecordBatch batch in _open.Values)
        {
            ConsumeResult<byte[], byte[]> packed = batch.Pack();
            _read[packed.TopicPartition] = packed.Offset.Value;
            _ready.Enqueue(packed);
        }

        _open.Clear();
        // None: what was read belonged to partitions that were taken away meanwhile.
        return _ready.TryDequeue(out ready) ? ready : null;
    }

    // A fault that comes behind records is thrown when they were given, as without batches.
    private void Collect(ConsumeResult<byte[], byte[]> first)
    {
        TopicPartition at = first.TopicPartition;
        RecordBatch batch = Open(at);
        ConsumeResult<byte[], byte[]>? record = first;
        int bytes = 0;
        for (int count = 1; record is not null; count++)
        {
            if (record.Partition != at.Partition || record.Topic != at.Topic)
            {
                if (record.Message is null || !_batched.Contains(record.Topic))
                {
                    _ready.Enqueue(record);
                    return;
                }

                at = record.TopicPartition;
            }

            // Not kept over a call: a rebalance within it may have dropped the batch.
            if (!_open.TryGetValue(at, out batch!))
                batch = Open(at);
            batch.Add(record);
            bytes += record.Message.Value?.Length ?? 0;
            if (count >= _maxRecords || bytes >= _maxBytes || _singly-- > 0)
                return;
            try
            {
                record = Inner.Consume(TimeSpan.Zero);
            }
            catch (ConsumeException failure)
            {
                _failure = failure;
                return;
            }
        }
    }

    private RecordBatch Open(TopicPartition partition)
    {
        var batch = new RecordBatch();
        _open[partition] = batch;
        return batch;
    }

    /// <summary>
    /// The member that got the partitions. Librdkafka forgets who it was as soon as the group does not know it any more, before anybody is
    /// told, and Kafka takes offsets of a transaction that name no member from whoever sends them: what a process that was taken for dead
    /// has under way would be committed beside the work of its successor.
    /// </summary>
    public override IConsumerGroupMetadata ConsumerGroupMetadata => _member ?? Inner.ConsumerGroupMetadata;

    /// <summary>It has got partitions in the group, as a member of the generation that there is now.</summary>
    public void Join() => _member = Inner.ConsumerGroupMetadata;

    /// <inheritdoc/>
    public override void Subscribe(IEnumerable<string> topics)
    {
        if (_isUnsubscribed)
            Inner.Unsubscribe();
        _isUnsubscribed = false;
        Inner.Subscribe(topics);
    }

    /// <inheritdoc/>
    public override void Subscribe(string topic) => Subscribe([topic]);

    /// <summary>
    /// Gives nothing more. The group is left by <see cref="Close"/>, or with the next subscription: a close behind it waits, while the
    /// group rebalances, for what never comes.
    /// </summary>
    public override void Unsubscribe()
    {
        Forget();
        _isUnsubscribed = true;
    }

    /// <inheritdoc/>
    public override void IncrementalUnassign(IEnumerable<TopicPartition> partitions)
    {
        TopicPartition[] gone = [.. partitions];
        Drop(gone);
        Inner.IncrementalUnassign(gone);
    }

    /// <inheritdoc/>
    public override void Unassign()
    {
        Forget();
        Inner.Unassign();
    }

    /// <inheritdoc/>
    /// <remarks>What was given up is not committed, also when Streamiz closes what has failed.</remarks>
    public override void Commit(IEnumerable<TopicPartitionOffset> offsets)
    {
        if (_ownership.IsEnded)
            return;
        try
        {
            if (_ownership.IsLost)
                throw new KafkaException(new Error(ErrorCode.Local_State, "What this thread had under way was given up before."));
            Inner.Commit(offsets);
        }
        catch (KafkaException)
        {
            _ownership.Lose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override void Seek(TopicPartitionOffset tpo)
    {
        Drop([tpo.TopicPartition]);
        Inner.Seek(tpo);
    }

    /// <inheritdoc/>
    public override void Close()
    {
        Forget();
        Inner.Close();
    }

    private void Forget()
    {
        _ready.Clear();
        _open.Clear();
        _failure = null;
    }
}
