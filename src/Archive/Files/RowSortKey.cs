using System.Buffers.Binary;
using ParquetSharp;

namespace KafkaEventSourcing.Archive;

/// <summary>Where a row is to be in its row group: by its key, and among those of one key in the order in which they came.</summary>
internal readonly struct RowSortKey(ulong order, ByteArray? key, int row) : IComparable<RowSortKey>
{
    private readonly ulong _order = order;
    private readonly ByteArray? _key = key;
    private readonly int _row = row;

    /// <summary>The first bytes of a key as a number in their order; most comparisons need no more.</summary>
    public static ulong OrderOf(ReadOnlySpan<byte> key)
    {
        Span<byte> first = stackalloc byte[sizeof(ulong)];
        first.Clear();
        key[..Math.Min(key.Length, first.Length)].CopyTo(first);
        return BinaryPrimitives.ReadUInt64BigEndian(first);
    }

    /// <inheritdoc/>
    public int CompareTo(RowSortKey other)
    {
        int byOrder = _order.CompareTo(other._order);
        return byOrder != 0 ? byOrder : CompareRest(other);
    }

    private int CompareRest(in RowSortKey other)
    {
        if (_key is not { } mine || other._key is not { } others)
            return _key is null && other._key is null ? _row.CompareTo(other._row) : _key is null ? -1 : 1;
        int byKey = PinnedBytes.Span(mine).SequenceCompareTo(PinnedBytes.Span(others));
        return byKey != 0 ? byKey : _row.CompareTo(other._row);
    }
}
