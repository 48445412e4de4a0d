using System.Runtime.InteropServices;
using Utf8 = System.Text.Encoding;
using ParquetSharp;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// Memory that does not move, where the bytes of a row group are until they are written: the library reads them by their address. Used
/// again and again. Not thread-safe.
/// </summary>
internal sealed class PinnedBytes
{
    private const int ChunkBytes = 1 << 20;

    private readonly List<byte[]> _chunks = [];
    private readonly List<byte[]> _long = []; // each alone, as it does not fit a chunk
    private int _chunk;
    private int _used;

    /// <summary>How many bytes were added since the last <see cref="Clear"/>.</summary>
    public long Count { get; private set; }

    /// <summary>The bytes that are at <paramref name="place"/>.</summary>
    public static unsafe ReadOnlySpan<byte> Span(ByteArray place) => new((void*)place.Pointer, place.Length);

    /// <summary>A copy of <paramref name="bytes"/> that stays where it is until <see cref="Clear"/>.</summary>
    public ByteArray Add(ReadOnlySpan<byte> bytes)
    {
        ByteArray place = Reserve(bytes.Length, out Span<byte> space);
        bytes.CopyTo(space);
        return place;
    }

    /// <summary><paramref name="text"/> in UTF-8.</summary>
    public ByteArray Add(string text)
    {
        ByteArray place = Reserve(Utf8.UTF8.GetByteCount(text), out Span<byte> space);
        Utf8.UTF8.GetBytes(text, space);
        return place;
    }

    /// <summary>Room for <paramref name="length"/> bytes.</summary>
    public ByteArray Reserve(int length, out Span<byte> space)
    {
        Count += length;
        if (length > ChunkBytes)
        {
            byte[] alone = GC.AllocateUninitializedArray<byte>(length, pinned: true);
            _long.Add(alone);
            space = alone;
            return new ByteArray(Marshal.UnsafeAddrOfPinnedArrayElement(alone, 0), length);
        }

        if (_chunks.Count == 0 || _used + length > ChunkBytes)
        {
            _chunk = _chunks.Count == 0 ? 0 : _chunk + 1;
            _used = 0;
            if (_chunk == _chunks.Count)
                _chunks.Add(GC.AllocateUninitializedArray<byte>(ChunkBytes, pinned: true));
        }

        byte[] chunk = _chunks[_chunk];
        var place = new ByteArray(Marshal.UnsafeAddrOfPinnedArrayElement(chunk, _used), length);
        space = chunk.AsSpan(_used, length);
        _used += length;
        return place;
    }

    /// <summary>Where it is now, for <see cref="TakeBack"/>.</summary>
    public (int Chunk, int Used, int Long, long Count) Mark() => (_chunk, _used, _long.Count, Count);

    /// <summary>Forgets what was added since <paramref name="mark"/>.</summary>
    public void TakeBack((int Chunk, int Used, int Long, long Count) mark)
    {
        _long.RemoveRange(mark.Long, _long.Count - mark.Long);
        (_chunk, _used, Count) = (mark.Chunk, mark.Used, mark.Count);
    }

    /// <summary>Forgets all bytes and keeps the room.</summary>
    public void Clear() => TakeBack(default);
}
