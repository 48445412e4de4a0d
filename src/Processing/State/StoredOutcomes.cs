using System.Buffers.Binary;
using System.Text;
using RocksDbSharp;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// The outcomes that a state store remembers, as they are written: those of an aggregate share a ring of slots, and each has the number
/// that it was remembered under.
/// </summary>
internal sealed class StoredOutcomes(RocksDb database)
{
    /// <summary>The outcome of a command that the aggregate remembers; false when there is none.</summary>
    public bool TryGet(AggregateEntry entry, string commandId, out RememberedOutcome outcome)
    {
        outcome = default;
        Span<byte> idBytes = stackalloc byte[CommandId.MaxBytes];
        if (!Encoding.UTF8.TryGetBytes(commandId, idBytes, out int length))
            return false;
        ulong hash = RecentCommands.HashOf(idBytes[..length]);
        long newest = -1;
        for (int slot = entry.Recent.Find(hash); slot >= 0; slot = entry.Recent.Find(hash, slot + 1))
        {
            if (database.Get(StoreKeys.Of(StoreKeys.Recent, entry.Key, slot)) is not { } value
                || BinaryPrimitives.ReadInt64BigEndian(value) is var number && number <= newest)
                continue;
            RememberedOutcome candidate = OutcomeCodec.Read(value.AsSpan(sizeof(long)));
            if (candidate.CommandId != commandId)
                continue;
            (outcome, newest) = (candidate, number);
        }

        return newest >= 0;
    }

    /// <summary>All that an aggregate remembers, in the order of their slots.</summary>
    public List<StoredOutcome> AllOf(byte[] id)
    {
        byte[] prefix = StoreKeys.BeginningOf(StoreKeys.Recent, id);
        var outcomes = new List<StoredOutcome>();
        using Iterator recent = database.NewIterator();
        for (recent.Seek(prefix); recent.Valid(); recent.Next())
        {
            ReadOnlySpan<byte> key = recent.GetKeySpan();
            if (!key.StartsWith(prefix) || key.Length != prefix.Length + sizeof(long))
                break;
            ReadOnlySpan<byte> value = recent.GetValueSpan();
            outcomes.Add(new StoredOutcome(BinaryPrimitives.ReadInt64BigEndian(value), value[sizeof(long)..].ToArray()));
        }

        return outcomes;
    }
}

/// <summary>
/// An outcome as it is stored: <paramref name="Number"/> says when it was remembered, <paramref name="Data"/> is what
/// <see cref="OutcomeCodec"/> wrote.
/// </summary>
internal readonly record struct StoredOutcome(long Number, byte[] Data);
