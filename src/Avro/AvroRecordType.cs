using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>Reads a value of the schema that the reader was made for.</summary>
internal delegate IAvroRecord AvroRead(ref AvroReader reader);

/// <summary>A generated type, with its schema. Immutable and thread-safe.</summary>
public sealed class AvroRecordType
{
    private static readonly JsonSerializerOptions Deep = new() { MaxDepth = SchemaParser.MaxDepth };

    private readonly AvroRead _read;
    private readonly Lazy<global::Avro.RecordSchema> _apache;

    private AvroRecordType(Type type, string schemaJson, AvroRead read)
    {
        (Type, SchemaJson, _read) = (type, schemaJson, read);
        Parsed = (RecordSchema)SchemaParser.Parse(schemaJson);
        FullName = Parsed.FullName;
        Fingerprint = SchemaFingerprint.Of(Parsed);
        IsPersonal = HasPersonal(Parsed, []);
        _apache = new Lazy<global::Avro.RecordSchema>(() => (global::Avro.RecordSchema?)ForApache(schemaJson)
            ?? throw new NotSupportedException($"Apache Avro does not read the schema of {FullName}."));
    }

    /// <summary>The generated type.</summary>
    public Type Type { get; }

    /// <summary>The schema's text.</summary>
    public string SchemaJson { get; }

    /// <summary>The schema as Apache Avro has it, for others' serializers; what we read and write does not pass through it.</summary>
    /// <exception cref="NotSupportedException">Apache Avro does not read it.</exception>
    public global::Avro.RecordSchema Schema => _apache.Value;

    /// <summary>The record's name with its namespace.</summary>
    public string FullName { get; }

    /// <summary>Full names that it had: what was written as one of them is read as it.</summary>
    public IReadOnlyList<string> Aliases => Parsed.Aliases;

    /// <summary>
    /// Sixteen hexadecimal digits that change with what a value of the schema is: not with its documentation or its aliases.
    /// </summary>
    public string Fingerprint { get; }

    /// <summary>Whether it, or a record in it, has a field that is tagged as personal.</summary>
    public bool IsPersonal { get; }

    /// <summary>The schema as we read it.</summary>
    internal RecordSchema Parsed { get; }

    /// <summary>The type <typeparamref name="T"/>.</summary>
    public static AvroRecordType Of<T>()
        where T : class, IAvroRecord<T> =>
        Cache<T>.Instance;

    /// <summary>The schema as Apache Avro has it; used by generated code.</summary>
    /// <remarks>
    /// Apache Avro refuses logical types that it does not know or that do not fit; the specification has them ignored, and so they are left
    /// out for it. So are those that its writers cannot write: what is a fixed (the writer of specific records refuses what their own
    /// conversion makes of a decimal), local timestamps, which it moves by the machine's time zone, and an int in a union that has a long
    /// with a logical type too, as it would write a day as the instant. Null: Apache Avro does not read the
    /// schema, as one of many types in one another; others' serializers cannot be used then.
    /// </remarks>
    public static global::Avro.Schema ForApache(string schemaJson)
    {
        JsonNode schema = JsonNode.Parse(schemaJson, documentOptions: new JsonDocumentOptions { MaxDepth = SchemaParser.MaxDepth })!;
        foreach (JsonArray union in Nodes(schema).OfType<JsonArray>().Where(a =>
            a.Parent is not JsonObject || a.GetPropertyName() != "fields"))
        {
            JsonObject[] logical = [.. union.Select(Unwrapped).OfType<JsonObject>().Where(HasLogical)];
            if (Of("int") is { } day && Of("long") is not null)
                day.Remove("logicalType");

            JsonObject? Of(string kind) => logical.FirstOrDefault(o => (string?)o["type"] == kind);
        }

        foreach (JsonObject typed in Nodes(schema).OfType<JsonObject>().Where(o => o.ContainsKey("logicalType") && !IsTaken(o)).ToArray())
            typed.Remove("logicalType");
        try
        {
            return global::Avro.Schema.Parse(schema.ToJsonString(Deep));
        }
        catch (Exception refused) when (refused is global::Avro.AvroException || refused.GetType().Namespace == "Newtonsoft.Json")
        {
            return null!;
        }

        static bool IsTaken(JsonObject typed) =>
            (typed["type"], typed["logicalType"]) is (JsonValue type, JsonValue logical)
                && type.TryGetValue(out string? kind)
                && logical.TryGetValue(out string? meaning)
                && (kind, meaning) switch
                {
                    ("int", "date" or "time-millis") => true,
                    ("long", "time-micros" or "timestamp-millis" or "timestamp-micros") => true,
                    ("string", "uuid") => true,
                    ("bytes", "decimal") => SchemaParser.Parse(typed.ToJsonString()).Logical is not null,
                    _ => false,
                };

        static bool HasLogical(JsonObject typed) =>
            typed["type"] is JsonValue type
                && type.TryGetValue(out string? kind)
                && kind is "int" or "long"
                && SchemaParser.Parse(typed.ToJsonString()).Logical is not null;

        static JsonNode? Unwrapped(JsonNode? node) => node is JsonObject { Count: > 0 } typed && typed["type"] is JsonObject inner
            ? Unwrapped(inner)
            : node;

        static IEnumerable<JsonNode> Nodes(JsonNode? node) => node switch
        {
            JsonObject inner => inner.SelectMany(member => Nodes(member.Value)).Prepend(inner),
            JsonArray items => items.SelectMany(Nodes).Prepend(items),
            _ => [],
        };
    }

    /// <summary>Reads a value that was written with this very schema.</summary>
    /// <exception cref="AvroDecodeException">The bytes are not such a value, or more than one.</exception>
    public IAvroRecord Read(ReadOnlySpan<byte> data) => Read(data, _read);

    /// <summary>The same, with what is sealed opened.</summary>
    internal IAvroRecord Read(ReadOnlySpan<byte> data, IFieldProtection? protection) => Read(data, _read, protection);

    /// <summary>
    /// <paramref name="value"/>, of this type, as one line of JSON for people to read: fields as the schema names them, days and times in
    /// RFC 3339, bytes in base64, unions as what they hold.
    /// </summary>
    public string ToJson(IAvroRecord value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var bytes = new ArrayBufferWriter<byte>();
        var writer = new AvroWriter(bytes);
        value.WriteTo(ref writer);
        writer.Flush();
        var text = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(text, AvroJson.Options))
        {
            var reader = new AvroReader(bytes.WrittenSpan);
            AvroJson.Write(json, ref reader, Parsed);
        }

        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    /// <summary>What reads values that <paramref name="writer"/> wrote; the generated code itself when the bytes are the same.</summary>
    /// <exception cref="SchemaMismatchException">No value of it is one of this type.</exception>
    internal AvroRead ReaderOf(AvroSchema writer)
    {
        Resolution resolution = SchemaResolver.Resolve(Parsed, writer).Resolution;
        if (resolution.Problem is { } problem)
            throw new SchemaMismatchException(problem);
        return resolution.IsIdentity ? _read
            : resolution is RecordResolution record ? ResolvedReader.Compile(record, Type)
            : throw new SchemaMismatchException($"{writer} cannot be read as {Parsed}");
    }

    internal static IAvroRecord Read(ReadOnlySpan<byte> data, AvroRead read, IFieldProtection? protection = null)
    {
        var reader = new AvroReader(data, protection);
        IAvroRecord value = read(ref reader);
        return reader.Remaining == 0
            ? value
            : throw new AvroDecodeException(reader.Position, $"{reader.Remaining} bytes follow the value.");
    }

    private static bool HasPersonal(AvroSchema schema, HashSet<RecordSchema> seen) => schema switch
    {
        RecordSchema record => seen.Add(record) && record.Fields.Any(f => f.IsPersonal || HasPersonal(f.Schema, seen)),
        ArraySchema array => HasPersonal(array.Items, seen),
        MapSchema map => HasPersonal(map.Values, seen),
        UnionSchema union => union.Branches.Any(b => HasPersonal(b, seen)),
        _ => false,
    };

    /// <summary>The full name.</summary>
    public override string ToString() => FullName;

    private static class Cache<T>
        where T : class, IAvroRecord<T>
    {
        public static readonly AvroRecordType Instance = new(typeof(T), T.SchemaJson,
            static (ref AvroReader reader) => T.ReadFrom(ref reader));
    }
}
