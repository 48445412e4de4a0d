namespace KafkaEventSourcing.Archive;

/// <summary>Texts or bytes of a column, one after the other in one buffer, some of them null. Not thread-safe.</summary>
internal sealed class ByteValues
{
    private const int Null = -1;

    private byte[] _bytes = [];
    private int[] _starts = [];
    private int[] _lengths = [];
    private int _used;

    public int Count { get; private set; }

    public bool IsNull(int index) => _lengths[index] == Null;

    /// <summary>The value; empty where it is null.</summary>
    public ReadOnlySpan<byte> this[int index] =>
        _lengths[index] == Null ? default : _bytes.AsSpan(_starts[index], _lengths[index]);

    /// <summary>A copy of the value; null where it is.</summary>
    public byte[]? ToArray(int index) => _lengths[index] == Null ? null : this[index].ToArray();

    public void AddNull() => AddPlace(Null);

    public void Add(ReadOnlySpan<byte> value)
    {
        if (_bytes.Length - _used < value.Length)
            Array.Resize(ref _bytes, (int)Math.Min(Math.Max(_bytes.Length * 2L, _used + (long)value.Length), Array.MaxLength));
        value.CopyTo(_bytes.AsSpan(_used));
        AddPlace(value.Length);
        _used += value.Length;
    }

    /// <summary>Forgets all values and keeps the room.</summary>
    public void Clear() => Count = _used = 0;

    private void AddPlace(int length)
    {
        if (Count == _lengths.Length)
        {
            Array.Resize(ref _starts, Math.Max(1024, Count * 2));
            Array.Resize(ref _lengths, _starts.Length);
        }

        (_starts[Count], _lengths[Count]) = (_used, length);
        Count++;
    }
}
