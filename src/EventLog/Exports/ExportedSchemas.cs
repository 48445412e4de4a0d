using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.EventLog;

/// <summary>The schemas in an exported file; what the registry did not have is missing here in the same words.</summary>
internal sealed class ExportedSchemas(IReadOnlyList<ExportedSchema> schemas) : IWriterSchemas
{
    /// <inheritdoc/>
    public Task<AvroSchema> Find(int id) => Find($"schema {id}", s => s.Id == id);

    /// <inheritdoc/>
    public Task<AvroSchema> Find(Guid guid) => Find($"schema {guid}", s => s.Guid == guid);

    private async Task<AvroSchema> Find(string name, Func<ExportedSchema, bool> which)
    {
        await Task.CompletedTask.ConfigureAwait(false); // what is wrong is in the task, as it is of a registry
        return schemas.FirstOrDefault(s => which(s) && s.Schema is not null)?.Schema is { } text
            ? RegisteredSchemas.Parse(name, [text])
            : throw RegisteredSchemas.Missing(name);
    }
}
