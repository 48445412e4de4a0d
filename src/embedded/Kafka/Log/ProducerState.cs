using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>A transaction that was aborted: its records lie between the two offsets.</summary>
internal readonly record struct AbortedTransaction(long ProducerId, long FirstOffset, long LastOffset);

/// <summary>What a log knows of one producer: its epoch, its last batches, and where its open transaction starts.</summary>
internal sealed class ProducerState(short epoch)
{
    private const int RememberedBatches = 5;

    private readonly Queue<(int First, int Last, long BaseOffset, long Timestamp)> _batches = [];

    public short Epoch { get; private set; } = epoch;

    public int LastSequence { get; private set; } = -1;

    /// <summary>Offset of the first record of the open transaction; -1 without one.</summary>
    public long FirstTransactionOffset { get; private set; } = -1;

    public long LastTimestamp { get; private set; }

    /// <summary>Whether the batch may be appended: None, or why not. <paramref name="duplicateOf"/> is the offset where it stands already.</summary>
    public ErrorCode Check(in RecordBatch batch, out long duplicateOf)
    {
        duplicateOf = -1;
        if (batch.ProducerEpoch < Epoch)
            return ErrorCode.InvalidProducerEpoch;
        if (batch.ProducerEpoch > Epoch)
            return batch.BaseSequence == 0 ? ErrorCode.None : ErrorCode.OutOfOrderSequenceNumber;
        foreach ((int first, int last, long baseOffset, _) in _batches)
        {
            if (first == batch.BaseSequence && last == batch.LastSequence)
            {
                duplicateOf = baseOffset;
                return ErrorCode.None;
            }
        }

        if (LastSequence < 0)
            return batch.BaseSequence == 0 ? ErrorCode.None : ErrorCode.OutOfOrderSequenceNumber;
        int expected = LastSequence == int.MaxValue ? 0 : LastSequence + 1;
        return batch.BaseSequence == expected ? ErrorCode.None : ErrorCode.OutOfOrderSequenceNumber;
    }

    public void Append(in RecordBatch batch)
    {
        if (batch.ProducerEpoch != Epoch)
        {
            Epoch = batch.ProducerEpoch;
            _batches.Clear();
            LastSequence = -1;
        }

        LastTimestamp = batch.MaxTimestamp;
        if (batch.BaseSequence >= 0)
        {
            LastSequence = batch.LastSequence;
            _batches.Enqueue((batch.BaseSequence, batch.LastSequence, batch.BaseOffset, batch.MaxTimestamp));
            if (_batches.Count > RememberedBatches)
                _batches.Dequeue();
        }

        if (batch.IsTransactional && FirstTransactionOffset < 0)
            FirstTransactionOffset = batch.BaseOffset;
    }

    /// <summary>Ends the open transaction; returns where it started, or -1 when there was none.</summary>
    public long End(short epoch)
    {
        if (epoch > Epoch)
        {
            Epoch = epoch;
            _batches.Clear();
            LastSequence = -1;
        }

        long first = FirstTransactionOffset;
        FirstTransactionOffset = -1;
        return first;
    }
}
