using System.Globalization;
using ParquetSharp;
using ParquetSharp.Schema;

namespace KafkaEventSourcing.Archive;

/// <summary>The columns of a raw file, and how they are written.</summary>
/// <remarks>
/// Row groups follow one another by offset. Within a row group rows are sorted by key, then offset: the records of an aggregate are beside
/// one another, so that its history is in a page or two of each column, and what is alike is compressed together. Whoever reads in the
/// order of offsets sorts a row group at a time.
/// </remarks>
internal static class RawFileFormat
{
    /// <summary>What the file's metadata has as <see cref="FormatKey"/>.</summary>
    public const string Current = "1";

    public const string FormatKey = "kes.format";
    public const string TopicKey = "kes.topic";
    public const string PartitionKey = "kes.partition";

    // The columns, in order; a header's three are the leaves of a list.
    public const int Offset = 0;
    public const int Timestamp = 1;
    public const int TimestampBits = 2;
    public const int TimestampType = 3;
    public const int AggregateId = 4;
    public const int Version = 5;
    public const int EventType = 6;
    public const int Time = 7;
    public const int CommandId = 8;
    public const int CorrelationId = 9;
    public const int CausationId = 10;
    public const int SchemaId = 11;
    public const int HeaderName = 12;
    public const int HeaderValue = 13;
    public const int HeaderSameAs = 14;
    public const int Key = 15;
    public const int Value = 16;

    /// <summary>What of the headers' levels says: a record without headers, a header whose value is null, one that has a value.</summary>
    public const short NoHeader = 0, Header = 1, HeaderWithValue = 2;

    private const int PageBytes = 32 * 1024;
    private const int CompressionLevel = 3;

    // What a timestamp must be between to be one: the years 1 to 9999. Readers that count in microseconds fail on others.
    private static readonly long FirstMillis = DateTimeOffset.MinValue.ToUnixTimeMilliseconds();
    private static readonly long LastMillis = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    /// <summary>Whether a timestamp of Kafka's is a time that every reader has.</summary>
    public static bool IsTime(long millis) => millis >= FirstMillis && millis <= LastMillis;

    public static GroupNode Schema()
    {
        using var text = LogicalType.String();
        using var none = LogicalType.None();
        using var millis = LogicalType.Timestamp(isAdjustedToUtc: true, TimeUnit.Millis);
        using var micros = LogicalType.Timestamp(isAdjustedToUtc: true, TimeUnit.Micros);
        using var list = LogicalType.List();
        PrimitiveNode name = new("name", Repetition.Required, text, PhysicalType.ByteArray);
        PrimitiveNode value = new("value", Repetition.Optional, none, PhysicalType.ByteArray);
        PrimitiveNode sameAs = new("same_as", Repetition.Optional, none, PhysicalType.Int32);
        GroupNode header = new("element", Repetition.Required, [name, value, sameAs]);
        GroupNode items = new("list", Repetition.Repeated, [header]);
        return new GroupNode("schema", Repetition.Required,
        [
            new PrimitiveNode("offset", Repetition.Required, none, PhysicalType.Int64),
            new PrimitiveNode("timestamp", Repetition.Optional, millis, PhysicalType.Int64),
            new PrimitiveNode("timestamp_bits", Repetition.Optional, none, PhysicalType.Int64),
            new PrimitiveNode("timestamp_type", Repetition.Required, none, PhysicalType.Int32),
            new PrimitiveNode("aggregate_id", Repetition.Optional, text, PhysicalType.ByteArray),
            new PrimitiveNode("version", Repetition.Optional, none, PhysicalType.Int64),
            new PrimitiveNode("event_type", Repetition.Optional, text, PhysicalType.ByteArray),
            new PrimitiveNode("time", Repetition.Optional, micros, PhysicalType.Int64),
            new PrimitiveNode("command_id", Repetition.Optional, text, PhysicalType.ByteArray),
            new PrimitiveNode("correlation_id", Repetition.Optional, text, PhysicalType.ByteArray),
            new PrimitiveNode("causation_id", Repetition.Optional, text, PhysicalType.ByteArray),
            new PrimitiveNode("schema_id", Repetition.Optional, none, PhysicalType.Int32),
            new GroupNode("headers", Repetition.Required, [items], list),
            new PrimitiveNode("key", Repetition.Optional, none, PhysicalType.ByteArray),
            new PrimitiveNode("value", Repetition.Optional, none, PhysicalType.ByteArray),
        ]);
    }

    public static WriterProperties Properties()
    {
        using var builder = new WriterPropertiesBuilder();
        builder.Compression(Compression.Zstd).CompressionLevel(CompressionLevel).DataPagesize(PageBytes).CreatedBy("KafkaEventSourcing")
            .DisableDictionary().EnablePageChecksum().EnableWritePageIndex();

        // A dictionary is read before the first of its values: only those that are a handful are worth it.
        foreach (string column in new[]
        {
            "timestamp_type",
            "event_type",
            "schema_id",
            "headers.list.element.name",
            "headers.list.element.same_as",
        })
            builder.EnableDictionary(column);
        // Nobody looks for a range of these.
        foreach (string column in new[]
        {
            "headers.list.element.name",
            "headers.list.element.value",
            "headers.list.element.same_as",
            "value",
        })
            builder.DisableStatistics(column);
        return builder.Build();
    }

    public static IReadOnlyDictionary<string, string> Metadata(string topic, int partition) => new Dictionary<string, string>
    {
        [FormatKey] = Current,
        [TopicKey] = topic,
        [PartitionKey] = partition.ToString(CultureInfo.InvariantCulture),
    };
}
