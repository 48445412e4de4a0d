using System.Text;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.EventLog;

/// <summary>The header of an Avro object container file (Avro specification 1.12, "Object Container Files").</summary>
/// <param name="Metadata">What the file says of itself, by name.</param>
/// <param name="Sync">The sixteen bytes behind each block.</param>
/// <param name="Length">How many bytes the header has.</param>
internal sealed record AvroFileHeader(IReadOnlyDictionary<string, byte[]> Metadata, byte[] Sync, int Length)
{
    /// <summary>The entry that has the schema of the records.</summary>
    public const string SchemaKey = "avro.schema";

    /// <summary>The entry that names how blocks are compressed.</summary>
    public const string CodecKey = "avro.codec";

    /// <summary>Blocks are compressed as in RFC 1951.</summary>
    public const string Deflate = "deflate";

    /// <summary>How many bytes follow a block.</summary>
    public const int SyncLength = 16;

    /// <summary>The most bytes that precede a block: how many records it has, and how many bytes.</summary>
    public const int MaxBlockHeader = 20;

    /// <summary>How many bytes such a file begins with, whatever is in it.</summary>
    public const int MagicLength = 4;

    private static ReadOnlySpan<byte> Magic => "Obj\u0001"u8;

    /// <summary>Whether <paramref name="file"/> begins as an Avro object container file.</summary>
    public static bool IsBegin(ReadOnlySpan<byte> file) => file.StartsWith(Magic);

    /// <summary>Writes a header.</summary>
    public static void Write(PooledBuffer output, IReadOnlyDictionary<string, byte[]> metadata, ReadOnlySpan<byte> sync)
    {
        var writer = new AvroWriter(output);
        writer.WriteFixed(Magic);
        writer.WriteLong(metadata.Count);
        foreach ((string name, byte[] value) in metadata)
        {
            writer.WriteString(name);
            writer.WriteBytes(value);
        }

        writer.WriteLong(0);
        writer.WriteFixed(sync);
        writer.Flush();
    }

    /// <summary>Reads the header at the beginning of <paramref name="file"/>; null: it is not an Avro object container file.</summary>
    /// <exception cref="AvroDecodeException">The header is cut or damaged.</exception>
    public static AvroFileHeader? Read(ReadOnlySpan<byte> file)
    {
        if (!IsBegin(file))
            return null;
        var reader = new AvroReader(file);
        reader.ReadFixed(Magic.Length);
        var metadata = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        for (long count = reader.ReadLong(); count != 0; count = reader.ReadLong())
        {
            if (count < 0)
                reader.ReadLong(); // how many bytes the entries have
            for (long entry = Math.Abs(count); entry > 0; entry--)
                metadata[Encoding.UTF8.GetString(reader.ReadSpan())] = reader.ReadBytes();
        }

        byte[] sync = reader.ReadFixed(SyncLength).ToArray();
        return new AvroFileHeader(metadata, sync, reader.Position);
    }
}
