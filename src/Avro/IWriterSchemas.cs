using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>The schemas that messages were written with, wherever they are kept. Thread-safe.</summary>
internal interface IWriterSchemas
{
    /// <summary>The schema of an id.</summary>
    /// <exception cref="UndecodableMessageException">It is not there, or it is not an Avro schema.</exception>
    /// <exception cref="HttpRequestException">A registry cannot be reached; trying again may help.</exception>
    Task<AvroSchema> Find(int id);

    /// <summary>The schema of a GUID.</summary>
    /// <inheritdoc cref="Find(int)" path="/exception"/>
    Task<AvroSchema> Find(Guid guid);
}
