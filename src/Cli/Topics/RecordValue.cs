namespace KafkaEventSourcing.Cli.Topics;

/// <summary>What a record's value is.</summary>
internal abstract record RecordValue
{
    /// <summary>No value: the key is deleted.</summary>
    public sealed record Tombstone : RecordValue;

    /// <param name="Schema">Which schema it has: an id, or a GUID.</param>
    /// <param name="Type">The schema's name.</param>
    /// <param name="Json">The value.</param>
    public sealed record Avro(SchemaName Schema, string Type, string Json) : RecordValue;

    public sealed record Text(string Value) : RecordValue;

    public sealed record Bytes(byte[] Value) : RecordValue;

    /// <summary>Said to be Avro, and cannot be read.</summary>
    public sealed record Unreadable(SchemaName Schema, string Why, byte[] Value) : RecordValue;
}
