using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Events that were parked, once they can be folded or are discarded. The store's checkpoint stays.</summary>
/// <param name="connection">The cluster.</param>
/// <param name="folder">Folds into the store of the partition.</param>
/// <param name="parked">What is parked there.</param>
/// <param name="park">Parks an event that cannot be folded, with cause and message.</param>
internal sealed class EventRepair(KafkaConnection connection, EventFolder folder, ParkedAggregates parked,
    Action<ConsumeResult<byte[], byte[]>, string, string> park)
{
    /// <summary>
    /// Folds the events of one aggregate that its stored state does not have yet, from <paramref name="offset"/> on. Records at
    /// <paramref name="discarded"/> offsets are passed over; with any of them, what cannot be folded behind them is parked in its turn.
    /// </summary>
    /// <exception cref="InvalidDataException">Nothing is discarded, and an event cannot be read or folded, or a version is
    /// missing.</exception>
    public void FoldAgain(AggregateId id, long offset, IReadOnlySet<long> discarded, CancellationToken cancellationToken)
    {
        byte[] key = IncomingCommand.KeyOf(id);
        long version = folder.EntryOf(id).Version;
        foreach (ConsumeResult<byte[], byte[]> record in Records(offset, cancellationToken))
        {
            if (!record.Message.Key.AsSpan().SequenceEqual(key))
                continue;
            if (discarded.Contains(record.Offset.Value) || parked.IsPassedOver(record.Offset.Value))
            {
                folder.PassOver(record);
                continue;
            }

            try
            {
                if (folder.Decode(record, cancellationToken) is var stored && stored.Head.Version > version)
                    folder.Fold(stored, record);
            }
            catch (InvalidDataException next) when (discarded.Count > 0)
            {
                park(record, ParkingCauses.From(next), next.Message);
                break;
            }
        }

        folder.Write(folder.Store.Checkpoint);
    }

    /// <summary>
    /// Folds the events of several aggregates that their stored states do not have yet, in one pass from <paramref name="offset"/> on. One
    /// that meets another event which cannot be folded is parked there in its turn; those that came no further than they were are not
    /// returned.
    /// </summary>
    public IReadOnlySet<AggregateId> FoldAgain(IReadOnlySet<AggregateId> ids, long offset, CancellationToken cancellationToken)
    {
        var folded = new HashSet<AggregateId>(ids);
        var ended = new HashSet<AggregateId>();
        foreach (ConsumeResult<byte[], byte[]> record in Records(offset, cancellationToken))
        {
            if (DeadLetterFormat.AggregateOf(record.Message.Key) is var id && (id.IsDefault || !folded.Contains(id) || ended.Contains(id)))
                continue;
            if (parked.IsPassedOver(record.Offset.Value))
            {
                folder.PassOver(record);
                continue;
            }

            try
            {
                if (folder.Decode(record, cancellationToken) is var stored && stored.Head.Version > folder.EntryOf(id).Version)
                    folder.Fold(stored, record);
            }
            catch (InvalidDataException next)
            {
                ended.Add(id);
                if (folder.HasFolded(id))
                {
                    park(record, ParkingCauses.From(next), next.Message);
                    continue;
                }

                folded.Remove(id);
                folder.Forget(id);
            }
        }

        folder.Write(folder.Store.Checkpoint);
        return folded;
    }

    /// <summary>Whether an event can be read now and folded into the stored state of its aggregate.</summary>
    public bool CanFold(ConsumeResult<byte[], byte[]> record, CancellationToken cancellationToken)
    {
        try
        {
            StoredEvent stored = folder.Decode(record, cancellationToken);
            AggregateEntry entry = folder.EntryOf(stored.Head.AggregateId);
            if (stored.Head.Version > entry.Version + 1)
                return false;
            if (stored.Head.Version == entry.Version + 1)
                folder.Evolve(entry.State, stored);
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    /// <summary>Whether an event's value can be read, whatever upcasting or folding it does.</summary>
    public bool CanRead(ConsumeResult<byte[], byte[]> record, CancellationToken cancellationToken)
    {
        try
        {
            folder.Decode(record, cancellationToken);
            return true;
        }
        catch (InvalidDataException failure)
        {
            return ParkingCauses.From(failure) == ParkingCauses.Unfoldable;
        }
    }

    // From an offset that is gone, at the first that is there: versions tell what is missing.
    private IEnumerable<ConsumeResult<byte[], byte[]>> Records(long offset, CancellationToken cancellationToken) =>
        PartitionLogReader.Read(connection, "restore", folder.Source, offset, cancellationToken);
}
