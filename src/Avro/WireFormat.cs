using System.Buffers;
using System.Buffers.Binary;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Confluent's wire format: a zero byte, the schema id (4 bytes, big endian), the value. Or a one and the schema's GUID (16 bytes, big
/// endian), which may be in a header of the record instead; then the record's value is the value alone.
/// </summary>
/// <remarks>Source: Confluent, "Formats, Serializers, and Deserializers", section "Wire format".</remarks>
public static class WireFormat
{
    /// <summary>How many bytes precede the value.</summary>
    public const int HeaderLength = 5;

    /// <summary>The name of the header that may have the id or the GUID of a value's schema.</summary>
    public const string ValueSchemaIdHeader = "__value_schema_id";

    /// <summary>How many bytes precede the value when they have a GUID.</summary>
    public const int GuidHeaderLength = 17;

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

    /// <summary>Reads the GUID of the schema; false when the bytes do not begin with one.</summary>
    public static bool TryReadSchemaGuid(ReadOnlySpan<byte> data, out Guid schemaGuid)
    {
        if (data.Length < GuidHeaderLength || data[0] != 1)
        {
            schemaGuid = Guid.Empty;
            return false;
        }

        schemaGuid = new Guid(data[1..GuidHeaderLength], bigEndian: true);
        return true;
    }
}
