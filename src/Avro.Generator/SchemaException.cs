using System;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>A schema that cannot be used: becomes a build error at its place in the file.</summary>
internal sealed class SchemaException : Exception
{
    public SchemaException(string id, int position, string message) : base(message)
    {
        Id = id;
        Position = position;
    }

    public string Id { get; }

    public int Position { get; }
}
