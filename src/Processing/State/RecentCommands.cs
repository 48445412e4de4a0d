namespace KafkaEventSourcing.Processing;

/// <summary>
/// Which commands an aggregate has decided lately: the hashes of their ids, in a ring; what came of them is in the state store under the
/// number of the slot. Hashes alone keep a cached aggregate at eight bytes a command and the garbage collector out of it. Two ids may share
/// a hash, so whoever finds one compares the ids. Owned by the partition task's thread.
/// </summary>
internal sealed class RecentCommands
{
    private const int SmallestRing = 4;

    private ulong[] _hashes = [];

    /// <summary>The number of the next command; numbers count from 0 over the aggregate's whole life.</summary>
    public long Next { get; private set; }

    /// <summary>How many bytes the ring has.</summary>
    public int Bytes => _hashes.Length * sizeof(ulong);

    /// <summary>The hash of a command id.</summary>
    // 0 is an empty slot
    public static ulong HashOf(ReadOnlySpan<byte> commandId) => Math.Max(1, System.IO.Hashing.XxHash3.HashToUInt64(commandId));

    /// <summary>Remembers the next command, in the place of the one <paramref name="limit"/> before it, and returns its number.</summary>
    public long Add(ulong hash, int limit)
    {
        Put(hash, Next, limit);
        return Next++;
    }

    /// <summary>Takes a command back from the store, under the number that it has there.</summary>
    public void Recall(ulong hash, long number, int limit)
    {
        Put(hash, number, limit);
        Next = Math.Max(Next, number + 1);
    }

    /// <summary>The next slot from <paramref name="from"/> on that has the hash; -1: none.</summary>
    public int Find(ulong hash, int from = 0)
    {
        int found = _hashes.AsSpan(from).IndexOf(hash);
        return found < 0 ? -1 : from + found;
    }

    private void Put(ulong hash, long number, int limit)
    {
        int slot = (int)(number % limit);
        if (slot >= _hashes.Length)
            Array.Resize(ref _hashes,
                (int)Math.Min(limit, Math.Max(SmallestRing, System.Numerics.BitOperations.RoundUpToPowerOf2((uint)slot + 1))));
        _hashes[slot] = hash;
    }
}
