using System.Globalization;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>What names the schema of a record: the id that its registry gave it, or the GUID that every registry gives it.</summary>
internal readonly record struct SchemaName(int Id, Guid? Guid)
{
    /// <summary>Reads the name at the beginning of a value, or in a header; <paramref name="length"/> is how many bytes it has.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out SchemaName name, out int length)
    {
        if (WireFormat.TryReadSchemaGuid(bytes, out Guid guid))
        {
            (name, length) = (new SchemaName(0, guid), WireFormat.GuidHeaderLength);
            return true;
        }

        length = WireFormat.HeaderLength;
        bool isId = WireFormat.TryReadSchemaId(bytes, out int id);
        name = new SchemaName(id, null);
        return isId;
    }

    public override string ToString() => Guid?.ToString() ?? Id.ToString(CultureInfo.InvariantCulture);
}
