using System.Buffers.Binary;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// A snapshot that is larger than a record may be, in several: the first under the aggregate's key says how many more there are, those
/// under keys of their own go on with state and outcomes. All are of one transaction; what a larger snapshot before had left beyond them is
/// not read.
/// </summary>
internal static class SnapshotParts
{
    /// <summary>
    /// How many bytes of state and outcomes a record takes: well below what brokers and producers take unless they are told otherwise.
    /// </summary>
    public const int MaxBytes = 500_000;

    private const int BytesAroundOutcome = 8;
    private static readonly byte[] Prefix = [0, .. "part"u8];

    /// <summary>
    /// The key of part <paramref name="number"/> (from 1) of an aggregate. No aggregate id starts with a control character.
    /// </summary>
    public static byte[] KeyOf(byte[] aggregateKey, int number)
    {
        byte[] key = new byte[Prefix.Length + sizeof(int) + aggregateKey.Length];
        Prefix.CopyTo(key, 0);
        BinaryPrimitives.WriteInt32BigEndian(key.AsSpan(Prefix.Length), number);
        aggregateKey.CopyTo(key, Prefix.Length + sizeof(int));
        return key;
    }

    /// <summary>The aggregate and the number of a part; false when the key is that of something else.</summary>
    public static bool TryReadKey(ReadOnlySpan<byte> key, out byte[] aggregateKey, out int number)
    {
        bool isPart = key.Length > Prefix.Length + sizeof(int) && key.StartsWith(Prefix);
        aggregateKey = isPart ? key[(Prefix.Length + sizeof(int))..].ToArray() : [];
        number = isPart ? BinaryPrimitives.ReadInt32BigEndian(key[Prefix.Length..]) : 0;
        return isPart;
    }

    /// <summary>The records of a snapshot, the first first; a part has all that fits.</summary>
    public static IReadOnlyList<AggregateSnapshot> Split(AggregateSnapshot whole, int maxBytes = MaxBytes)
    {
        if (whole.State.Length + whole.RecentCommands.Sum(c => (long)c.Length + BytesAroundOutcome) <= maxBytes)
            return [whole];
        var parts = new List<AggregateSnapshot>();
        int state = 0;
        int outcome = 0;
        do
        {
            int taken = Math.Min(maxBytes, whole.State.Length - state);
            int room = maxBytes - taken;
            int first = outcome;
            // A part takes something, also when one outcome is larger than a part.
            while (outcome < whole.RecentCommands.Count
                && (whole.RecentCommands[outcome].Length + BytesAroundOutcome <= room || (taken == 0 && outcome == first)))
                room -= whole.RecentCommands[outcome++].Length + BytesAroundOutcome;
            parts.Add(whole with
            {
                State = whole.State[state..(state + taken)],
                RecentCommands = [.. whole.RecentCommands.Skip(first).Take(outcome - first)],
            });
            state += taken;
        }
        while (state < whole.State.Length || outcome < whole.RecentCommands.Count);
        parts[0] = parts[0] with { Parts = parts.Count - 1 };
        return parts;
    }

    /// <summary>The snapshot whose first record is <paramref name="first"/>.</summary>
    /// <exception cref="InvalidDataException">A part is missing or is of another version.</exception>
    public static AggregateSnapshot Join(AggregateSnapshot first, string aggregateId, IReadOnlyDictionary<int, AggregateSnapshot> parts)
    {
        if (first.Parts == 0)
            return first;
        var state = new MemoryStream();
        var outcomes = new List<byte[]>();
        for (int number = 0; number <= first.Parts; number++)
        {
            AggregateSnapshot? part = number == 0 ? first : parts.GetValueOrDefault(number);
            if (part is null || part.Version != first.Version)
                throw new InvalidDataException($"The snapshot of {aggregateId} at version {first.Version} has {first.Parts} more parts, "
                    + $"and part {number} is {(part is null ? "missing" : $"of version {part.Version}")}.");
            state.Write(part.State);
            outcomes.AddRange(part.RecentCommands);
        }

        return first with { State = state.ToArray(), RecentCommands = outcomes, Parts = 0 };
    }
}
