using System.Collections;
using System.Collections.Concurrent;
using Avro.Specific;

namespace KafkaEventSourcing.Avro;

/// <summary>What Apache Avro has in place of values of generated types; used by generated code.</summary>
public static class ApacheValues
{
    private static readonly ConcurrentDictionary<(string, int), global::Avro.FixedSchema> Schemas = [];

    /// <summary>A fixed called <paramref name="fullName"/>.</summary>
    public static object FromBytes(byte[] value, string fullName) => new Fixed(
        Schemas.GetOrAdd((fullName, value.Length), static key => (global::Avro.FixedSchema)global::Avro.Schema.Parse(
            $$"""{"type":"fixed","name":"{{key.Item1}}","size":{{key.Item2}}}""")), value);

    /// <summary>The bytes of a fixed.</summary>
    public static byte[] ToBytes(object value) => value is global::Avro.Generic.GenericFixed raw ? raw.Value : (byte[])value;

    /// <summary>Whether it is the fixed that is called <paramref name="fullName"/>.</summary>
    public static bool IsFixed(object value, string fullName) =>
        (value is SpecificFixed own ? own.Schema : (value as global::Avro.Generic.GenericFixed)?.Schema)?.Fullname == fullName;

    /// <summary>A decimal of <paramref name="scale"/> digits behind the point.</summary>
    public static object FromDecimal(AvroDecimal value, int scale)
    {
        AvroDecimal scaled = AvroDecimal.WithScale(value, scale);
        return new global::Avro.AvroDecimal(scaled.Unscaled, scaled.Scale);
    }

    /// <summary>The number of a decimal.</summary>
    public static AvroDecimal ToDecimal(object value) =>
        value is global::Avro.AvroDecimal number ? new AvroDecimal(number.UnscaledValue, number.Scale) : (AvroDecimal)value;

    /// <summary>
    /// A time of whole milliseconds. Apache Avro divides as floating point and cuts, which makes a millisecond less of many times: half a
    /// one more, away from 1970, is cut off again.
    /// </summary>
    public static object FromMillis(DateTimeOffset time)
    {
        long half = time >= DateTimeOffset.UnixEpoch ? TimeSpan.TicksPerMillisecond / 2 : -TimeSpan.TicksPerMillisecond / 2;
        return new DateTime(Math.Max(time.UtcTicks + half, 0), DateTimeKind.Utc);
    }

    /// <summary>The time of the nearest millisecond.</summary>
    public static DateTimeOffset ToMillis(object time)
    {
        long ticks = ((DateTime)time).ToUniversalTime().Ticks;
        bool isLater = ticks >= DateTime.UnixEpoch.Ticks;
        long rest = ticks % TimeSpan.TicksPerMillisecond;
        bool isUp = isLater ? rest > TimeSpan.TicksPerMillisecond / 2 : rest >= TimeSpan.TicksPerMillisecond / 2;
        return new DateTimeOffset(ticks - rest + (isUp ? TimeSpan.TicksPerMillisecond : 0), TimeSpan.Zero);
    }

    /// <summary>The items, each converted.</summary>
    public static object FromList<T>(IReadOnlyList<T> items, Func<T, object?> convert) => items.Select(convert).ToList();

    /// <summary>The values, each converted.</summary>
    public static object FromMap<T>(IReadOnlyDictionary<string, T> entries, Func<T, object?> convert) =>
        entries.ToDictionary(p => p.Key, p => convert(p.Value));

    /// <summary>The items, each converted back.</summary>
    public static IReadOnlyList<T> ToList<T>(object items, Func<object?, T> convert) =>
        ((IEnumerable)items).Cast<object?>().Select(convert).ToList();

    /// <summary>The values, each converted back.</summary>
    public static IReadOnlyDictionary<string, T> ToMap<T>(object entries, Func<object?, T> convert)
    {
        var converted = new Dictionary<string, T>();
        foreach (DictionaryEntry entry in (IDictionary)entries)
            converted.Add((string)entry.Key, convert(entry.Value));
        return converted;
    }

    /// <summary>The bytes that <paramref name="write"/> writes.</summary>
    public static byte[] Encode<T>(T value, AvroWrite<T> write)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        var writer = new AvroWriter(buffer);
        write(ref writer, value);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The value that <paramref name="read"/> reads of the bytes of a fixed.</summary>
    public static T Decode<T>(object value, AvroFixedRead<T> read)
    {
        var reader = new AvroReader(ToBytes(value));
        return read(ref reader);
    }

    private sealed class Fixed : SpecificFixed
    {
        private readonly global::Avro.FixedSchema _schema;

        public Fixed(global::Avro.FixedSchema schema, byte[] value)
            : base((uint)schema.Size) => (_schema, Value) = (schema, value);

        public override global::Avro.Schema Schema => _schema;
    }
}

/// <summary>Writes a value.</summary>
public delegate void AvroWrite<in T>(ref AvroWriter writer, T value);

/// <summary>Reads a value.</summary>
public delegate T AvroFixedRead<out T>(ref AvroReader reader);
