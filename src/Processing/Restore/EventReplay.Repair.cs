using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

// Events that were parked, once they can be folded or are discarded.
internal sealed partial class EventReplay
{
    /// <summary>
    /// Folds the events of one aggregate that its stored state does not have yet, from <paramref name="offset"/> on; the store's checkpoint stays. Records at <paramref name="discarded"/> offsets are passed over; with
    /// any of them, what cannot be folded behind them is parked in its turn.
    /// </summary>
    /// <exception cref="InvalidDataException">Nothing is discarded, and an event cannot be read or folded, or a version is missing.</exception>
    public void FoldAgain(AggregateId id, long offset, IReadOnlySet<long> discarded, CancellationToken cancellationToken)
    {
        byte[] key = IncomingCommand.KeyOf(id);
        long version = _aggregates.Get(id).Version;
        var changed = new Dictionary<AggregateId, Change>();
        foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.Read(_connection, "restore", _partition, offset, cancellationToken)) // versions tell what is missing
        {
            if (!record.Message.Key.AsSpan().SequenceEqual(key))
                continue;
            if (discarded.Contains(record.Offset.Value) || _parked.IsPassedOver(record.Offset.Value))
            {
                PassOver(record, changed);
                continue;
            }

            try
            {
                if (Decode(record, cancellationToken) is var recorded && recorded.Version > version)
                    Fold(recorded, record.Message.Headers, changed);
            }
            catch (InvalidDataException next) when (discarded.Count > 0)
            {
                _park(record, CauseOf(next), next.Message);
                break;
            }
        }

        Write(changed, _store.Checkpoint);
    }

    /// <summary>
    /// Folds the events of several aggregates that their stored states do not have yet, in one pass from <paramref name="offset"/> on; the store's checkpoint stays. One that meets another event which cannot be folded is
    /// parked there in its turn; those that came no further than they were are not returned.
    /// </summary>
    public IReadOnlySet<AggregateId> FoldAgain(IReadOnlySet<AggregateId> ids, long offset, CancellationToken cancellationToken)
    {
        var folded = new HashSet<AggregateId>(ids);
        var ended = new HashSet<AggregateId>();
        var changed = new Dictionary<AggregateId, Change>();
        foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.Read(_connection, "restore", _partition, offset, cancellationToken)) // versions tell what is missing
        {
            if (DeadLetterFormat.AggregateOf(record.Message.Key) is var id && (id.IsDefault || !folded.Contains(id) || ended.Contains(id)))
                continue;
            if (_parked.IsPassedOver(record.Offset.Value))
            {
                PassOver(record, changed);
                continue;
            }

            try
            {
                if (Decode(record, cancellationToken) is var recorded && recorded.Version > EntryOf(id, changed).Version)
                    Fold(recorded, record.Message.Headers, changed);
            }
            catch (InvalidDataException next)
            {
                ended.Add(id);
                if (changed.TryGetValue(id, out Change? change) && change.Last is not null)
                {
                    _park(record, CauseOf(next), next.Message);
                    continue;
                }

                folded.Remove(id);
                changed.Remove(id);
            }
        }

        Write(changed, _store.Checkpoint);
        return folded;
    }

    /// <summary>Whether an event can be read now and folded into the stored state of its aggregate.</summary>
    public bool CanFold(ConsumeResult<byte[], byte[]> record, CancellationToken cancellationToken)
    {
        try
        {
            RecordedEvent recorded = Decode(record, cancellationToken);
            AggregateEntry entry = _aggregates.Get(recorded.AggregateId);
            if (recorded.Version > entry.Version + 1)
                return false;
            if (recorded.Version == entry.Version + 1)
                Evolve(entry.State, recorded);
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    /// <summary>Whether an event's value can be read, whatever folding it does.</summary>
    public bool CanRead(ConsumeResult<byte[], byte[]> record, CancellationToken cancellationToken)
    {
        try
        {
            Decode(record, cancellationToken);
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }
}
