using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Brings the store of one partition to the end of the log.</summary>
internal sealed class EventReplay(KafkaConnection connection, EventFolder folder)
{
    /// <summary>
    /// Folds the events from the store's checkpoint to <paramref name="end"/> and returns how many there were. One that cannot be folded is
    /// given to <paramref name="park"/> with cause and message, and later ones of its aggregate are passed over.
    /// </summary>
    /// <exception cref="IncompleteSnapshotsException">The store was filled from event streams, which did not have all.</exception>
    public long Run(long end, Action<ConsumeResult<byte[], byte[]>, string, string> park, CancellationToken cancellationToken)
    {
        if (folder.Store.Checkpoint >= end)
            return 0;

        // Where the log does not have the offset that is due (any more), going on from its first event would fold another log.
        using PartitionLogReader reader = PartitionLogReader.ToEnd(connection, "restore", isExact: true);
        foreach (ConsumeResult<byte[], byte[]> record in reader.Read(folder.Source, folder.Store.Checkpoint, cancellationToken))
            folder.Take(record, FoldOrPark);
        folder.Write(end);
        return folder.Events;

        void FoldOrPark(ConsumeResult<byte[], byte[]> record)
        {
            folder.ThrowIfMisplaced(record);
            try
            {
                StoredEvent stored = folder.Decode(record, cancellationToken);
                folder.ThrowIfSnapshotsAreShort(stored);
                folder.Fold(stored, record);
            }
            catch (InvalidDataException unfoldable)
            {
                park(record, ParkingCauses.From(unfoldable), unfoldable.Message);
            }
        }
    }

    /// <summary>
    /// Folds events as they come, from the store's checkpoint on, until <paramref name="cancellationToken"/> is cancelled;
    /// <paramref name="caughtUp"/> gets the number of events so far each time the end is reached and stored.
    /// </summary>
    /// <exception cref="InvalidDataException">An event cannot be read or folded, or a version is missing.</exception>
    /// <exception cref="IncompleteSnapshotsException">The store was filled from event streams, which did not have all.</exception>
    public void Follow(Action<long> caughtUp, CancellationToken cancellationToken)
    {
        CatchUpWithWhatLeftTheTopic();
        using PartitionLogReader reader = PartitionLogReader.Tailing(connection, "standby", isExact: true, withEnds: true);
        reader.Begin(new TopicPartitionOffset(folder.Source, folder.Store.Checkpoint));
        while (true)
        {
            ConsumeResult<byte[], byte[]> record = reader.Next(cancellationToken);
            if (record.IsPartitionEOF)
            {
                folder.Write(record.Offset.Value);
                caughtUp(folder.Events);
                continue;
            }

            folder.Take(record, Fold);
        }

        void CatchUpWithWhatLeftTheTopic()
        {
            if (connection.Cold is null)
                return;
            using PartitionLogReader whole = PartitionLogReader.ToEnd(connection, "standby", isExact: true);
            long next = folder.Store.Checkpoint;
            if (whole.HotBounds(folder.Source, cancellationToken).Low.Value <= next)
                return;
            foreach (ConsumeResult<byte[], byte[]> record in whole.Read(folder.Source, next, cancellationToken))
            {
                folder.Take(record, Fold);
                next = record.Offset.Value + 1;
            }

            folder.Write(next);
        }

        void Fold(ConsumeResult<byte[], byte[]> record)
        {
            folder.ThrowIfMisplaced(record);
            StoredEvent stored = folder.Decode(record, cancellationToken);
            folder.ThrowIfSnapshotsAreShort(stored);
            folder.Fold(stored, record);
        }
    }
}
