using System.Security.Cryptography;
using System.Text;

namespace KafkaEventSourcing.Avro;

/// <summary>Reads a value that was written with the type's own schema.</summary>
internal delegate IAvroRecord AvroRead(ref AvroReader reader);

/// <summary>A generated type, with its schema. Immutable and thread-safe.</summary>
public sealed class AvroRecordType
{
    private readonly AvroRead _read;

    private AvroRecordType(Type type, string schemaJson, AvroRead read)
    {
        (Type, SchemaJson, _read) = (type, schemaJson, read);
        Schema = (global::Avro.RecordSchema)global::Avro.Schema.Parse(schemaJson);
        FullName = Schema.Fullname;
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Schema.ToString()))[..8]);
    }

    /// <summary>The generated type.</summary>
    public Type Type { get; }

    /// <summary>The schema's text.</summary>
    public string SchemaJson { get; }

    /// <summary>The schema.</summary>
    public global::Avro.RecordSchema Schema { get; }

    /// <summary>The record's name with its namespace.</summary>
    public string FullName { get; }

    /// <summary>Sixteen hexadecimal digits that change with the schema.</summary>
    public string Fingerprint { get; }

    /// <summary>The type <typeparamref name="T"/>.</summary>
    public static AvroRecordType Of<T>()
        where T : class, IAvroRecord<T> =>
        Cache<T>.Instance;

    /// <summary>Reads a value that was written with this very schema.</summary>
    /// <exception cref="AvroDecodeException">The bytes are not such a value, or more than one.</exception>
    public IAvroRecord Read(ReadOnlySpan<byte> data)
    {
        var reader = new AvroReader(data);
        IAvroRecord value = _read(ref reader);
        return reader.Remaining == 0 ? value : throw new AvroDecodeException(reader.Position, $"{reader.Remaining} bytes follow the value.");
    }

    /// <summary>The full name.</summary>
    public override string ToString() => FullName;

    private static class Cache<T>
        where T : class, IAvroRecord<T>
    {
        public static readonly AvroRecordType Instance = new(typeof(T), T.SchemaJson, static (ref AvroReader reader) => T.ReadFrom(ref reader));
    }
}
