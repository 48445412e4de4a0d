using System.Buffers;
using System.Buffers.Binary;

namespace KafkaEventSourcing.Avro;

/// <summary>Confluent's wire format: a zero byte, the schema id (4 bytes, big endian), the value.</summary>
/// <remarks>Source: Confluent, "Formats, Serializers, and Deserializers", section "Wire format".</remarks>
public static class WireFormat
{
    /// <summary>How many bytes precede the value.</summary>
    public const int HeaderLength = 5;

    /// <summary>Writes the header.</summary>
    public static void WriteHeader(IBufferWriter<byte> output, int schemaId)
    {
        Span<byte> header = output.GetSpan(HeaderLength);
        header[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(header[1..], schemaId);
        output.Advance(HeaderLength);
    }

    /// <summary>Reads the schema id; false when the bytes are not in the wire format.</summary>
    public static bool TryReadSchemaId(ReadOnlySpan<byte> data, out int schemaId)
    {
        if (data.Length < HeaderLength || data[0] != 0)
        {
            schemaId = 0;
            return false;
        }

        schemaId = BinaryPrimitives.ReadInt32BigEndian(data[1..]);
        return true;
    }
}
