using Avro.Generic;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>What a record's value is.</summary>
internal abstract record RecordValue
{
    /// <summary>No value: the key is deleted.</summary>
    public sealed record Tombstone : RecordValue;

    public sealed record Avro(int SchemaId, GenericRecord Record) : RecordValue;

    public sealed record Text(string Value) : RecordValue;

    public sealed record Bytes(byte[] Value) : RecordValue;

    /// <summary>Said to be Avro, and cannot be read.</summary>
    public sealed record Unreadable(int SchemaId, string Why, byte[] Value) : RecordValue;
}
