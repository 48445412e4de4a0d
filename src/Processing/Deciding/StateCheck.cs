using System.Buffers;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Finds states that their schema cannot hold: a null where it has none, a symbol that it lacks. States are written after the commit, when
/// it is too late to refuse what led to them, so they are looked at before. Not thread-safe.
/// </summary>
internal sealed class StateCheck : IBufferWriter<byte>
{
    private const int KeptBytes = 64 * 1024;

    private byte[] _scratch = new byte[4096];

    /// <summary>Why <paramref name="state"/> cannot be written; null when it can.</summary>
    public string? Problem(object state)
    {
        try
        {
            var writer = new AvroWriter(this);
            ((IAvroRecord)state).WriteTo(ref writer);
            writer.Flush();
            return null;
        }
        catch (Exception unencodable) when (unencodable is not OutOfMemoryException)
        {
            return unencodable.Message;
        }
        finally
        {
            if (_scratch.Length > KeptBytes)
                _scratch = new byte[4096];
        }
    }

    // What is written is not kept.
    void IBufferWriter<byte>.Advance(int count)
    {
    }

    Memory<byte> IBufferWriter<byte>.GetMemory(int sizeHint) => Room(sizeHint);

    Span<byte> IBufferWriter<byte>.GetSpan(int sizeHint) => Room(sizeHint);

    private byte[] Room(int size) => _scratch.Length >= size ? _scratch : _scratch = new byte[size];
}
