using System.Buffers;
using System.Buffers.Binary;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Network;

/// <summary>
/// What a connection has received and not yet answered. It is small while nothing is under way, so that thousands of idle connections cost
/// little, and grows with the bytes that really came: a large announced length alone gets no more than <see cref="Free"/>, and the budget
/// is asked for what is beyond.
/// </summary>
internal sealed class ReceiveBuffer(MemoryBudget budget) : IDisposable
{
    private const int Small = 4 * 1024;
    private const int Free = 128 * 1024;
    private const int Growth = 4;

    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(Small);
    private int _start;
    private int _end;
    private int _reserved;
    private bool _wasFull;

    public bool IsEmpty => _start == _end;

    /// <summary>The next whole request, without its length.</summary>
    public bool TryTake(int minLength, int maxLength, out Memory<byte> request)
    {
        request = default;
        if (_end - _start < sizeof(int))
            return false;
        int length = BinaryPrimitives.ReadInt32BigEndian(_bytes.AsSpan(_start));
        if (length < minLength || length > maxLength)
            throw new MalformedRequestException($"A request of {length} bytes is announced; {minLength} to {maxLength} are allowed.");
        if (_end - _start - sizeof(int) < length)
            return false;
        request = _bytes.AsMemory(_start + sizeof(int), length);
        _start += sizeof(int) + length;
        return true;
    }

    /// <summary>Room for more bytes, behind those that are there.</summary>
    public async ValueTask<Memory<byte>> Room(CancellationToken cancellationToken)
    {
        int present = _end - _start;
        if (present == 0)
        {
            (_start, _end) = (0, 0);
            if (_bytes.Length > Free)
                Replace(ArrayPool<byte>.Shared.Rent(Small), 0);
            else if (_bytes.Length < Free / 2 && _wasFull)
                Replace(ArrayPool<byte>.Shared.Rent(Free), 0); // a busy connection gets room for many requests a read
        }

        int announced = present >= sizeof(int) ? BinaryPrimitives.ReadInt32BigEndian(_bytes.AsSpan(_start)) + sizeof(int) : Small;
        int wanted = Math.Min(announced, Math.Max(Free, Growth * present));
        if (wanted > _bytes.Length)
        {
            if (wanted > Free && wanted > _reserved)
            {
                await budget.Take(wanted - _reserved, cancellationToken).ConfigureAwait(false);
                _reserved = wanted;
            }

            byte[] larger = ArrayPool<byte>.Shared.Rent(wanted);
            Replace(larger, present);
        }
        else if (_start > 0 && (_end == _bytes.Length || announced > _bytes.Length - _start))
        {
            _bytes.AsSpan(_start, present).CopyTo(_bytes);
            (_start, _end) = (0, present);
        }

        return _bytes.AsMemory(_end);
    }

    public void Received(int bytes)
    {
        _end += bytes;
        _wasFull = _end == _bytes.Length;
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        if (_reserved > 0)
            budget.Return(_reserved);
        _reserved = 0;
    }

    private void Replace(byte[] larger, int present)
    {
        _bytes.AsSpan(_start, present).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_bytes);
        (_bytes, _start, _end) = (larger, 0, present);
        if (present == 0 && _reserved > 0)
        {
            budget.Return(_reserved);
            _reserved = 0;
        }
    }
}
