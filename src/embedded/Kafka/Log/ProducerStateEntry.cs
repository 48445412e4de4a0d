namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>A batch that a producer wrote, as far as a repetition of it is recognized by it.</summary>
internal readonly record struct BatchMetadata(int LastSequence, long LastOffset, int OffsetDelta, long Timestamp)
{
    public int FirstSequence => (int)(((long)LastSequence - OffsetDelta + 1L + int.MaxValue) % (1L + int.MaxValue));

    public long FirstOffset => LastOffset - OffsetDelta;
}

/// <summary>What a log knows of one producer: its epoch, its last five batches, and where its open transaction starts.</summary>
internal sealed class ProducerStateEntry(long producerId)
{
    public const int RetainedBatches = 5;

    private readonly BatchMetadata[] _batches = new BatchMetadata[RetainedBatches];
    private int _first;

    public long ProducerId => producerId;

    public short Epoch { get; private set; } = -1;

    public int CoordinatorEpoch { get; private set; } = -1;

    public long LastTimestamp { get; private set; } = -1;

    /// <summary>The first offset of the open transaction; -1 without one.</summary>
    public long CurrentTransactionFirstOffset { get; private set; } = -1;

    public int BatchCount { get; private set; }

    public int LastSequence => BatchCount == 0 ? -1 : LastBatch.LastSequence;

    public long LastDataOffset => BatchCount == 0 ? -1 : LastBatch.LastOffset;

    public BatchMetadata LastBatch => this[BatchCount - 1];

    private BatchMetadata this[int index] => _batches[(_first + index) % RetainedBatches];

    /// <summary>As a snapshot has it.</summary>
    public static ProducerStateEntry Restore(long producerId, short epoch, int coordinatorEpoch, long timestamp,
        long currentTransactionFirstOffset, BatchMetadata? last)
    {
        var entry = new ProducerStateEntry(producerId)
        {
            Epoch = epoch,
            CoordinatorEpoch = coordinatorEpoch,
            LastTimestamp = timestamp,
            CurrentTransactionFirstOffset = currentTransactionFirstOffset,
        };
        if (last is { } batch)
            entry.Add(batch);
        return entry;
    }

    public BatchMetadata? FindDuplicate(in RecordBatch batch)
    {
        if (batch.ProducerEpoch != Epoch)
            return null;
        for (int i = 0; i < BatchCount; i++)
        {
            if (this[i].FirstSequence == batch.BaseSequence && this[i].LastSequence == batch.LastSequence)
                return this[i];
        }

        return null;
    }

    /// <summary>Takes a data batch; true when a transaction starts with it.</summary>
    public bool AddBatch(in RecordBatch batch)
    {
        UpdateEpoch(batch.ProducerEpoch);
        // A batch that was emptied by compaction still carries the last sequence.
        if (batch.BaseSequence >= 0)
            Add(new BatchMetadata(batch.LastSequence, batch.LastOffset, batch.LastOffsetDelta, batch.MaxTimestamp));
        LastTimestamp = batch.MaxTimestamp;
        if (!batch.IsTransactional || CurrentTransactionFirstOffset >= 0)
            return false;
        CurrentTransactionFirstOffset = batch.BaseOffset;
        return true;
    }

    /// <summary>Takes a marker; returns where the transaction that it ends started, -1 when none was open.</summary>
    public long EndTransaction(short epoch, int coordinatorEpoch, long timestamp)
    {
        UpdateEpoch(epoch);
        CoordinatorEpoch = coordinatorEpoch;
        LastTimestamp = timestamp;
        long first = CurrentTransactionFirstOffset;
        CurrentTransactionFirstOffset = -1;
        return first;
    }

    private void UpdateEpoch(short epoch)
    {
        if (epoch == Epoch)
            return;
        Epoch = epoch;
        BatchCount = _first = 0;
    }

    private void Add(BatchMetadata batch)
    {
        if (BatchCount == RetainedBatches)
            _first = (_first + 1) % RetainedBatches;
        else
            BatchCount++;
        _batches[(_first + BatchCount - 1) % RetainedBatches] = batch;
    }
}
