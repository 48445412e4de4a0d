using System.Collections.Concurrent;
using System.Globalization;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Archive;

/// <summary>The schemas of a registry that events were written with, as an archive keeps them. Thread-safe.</summary>
internal sealed class WriterSchemas(ISchemaRegistryClient registry)
{
    /// <summary>The schemas as the registry has them.</summary>
    public RegisteredSchemas Registered { get; } = new(registry);

    private readonly ConcurrentDictionary<string, WriterSchema> _known = new();

    /// <summary>The schema that <paramref name="value"/> names; null: it names none.</summary>
    /// <exception cref="HttpRequestException">The registry cannot be reached.</exception>
    public async Task<WriterSchema?> Of(byte[]? value)
    {
        string? id = WireFormat.TryReadSchemaId(value, out int number) ? number.ToString(CultureInfo.InvariantCulture)
            : WireFormat.TryReadSchemaGuid(value, out Guid guid) ? guid.ToString()
            : null;
        if (id is null)
            return null;
        if (_known.TryGetValue(id, out WriterSchema? known))
            return known;
        WriterSchema found = await Find(id).ConfigureAwait(false);
        return found.Text is null ? found : _known.GetOrAdd(id, found); // one that is not there may come
    }

    private async Task<WriterSchema> Find(string id)
    {
        try
        {
            IReadOnlyList<string> texts = Guid.TryParse(id, out Guid guid)
                ? await Registered.TextsOf(guid).ConfigureAwait(false)
                : await Registered.TextsOf(int.Parse(id, CultureInfo.InvariantCulture)).ConfigureAwait(false);
            string text = SchemaJoin.Of(texts);
            return new WriterSchema(id, text, RegisteredSchemas.Parse($"schema {id}", [text]) as RecordSchema);
        }
        catch (UndecodableMessageException)
        {
            return new WriterSchema(id, null, null); // what it is in the topic, it is in the archive: bytes
        }
    }
}

/// <summary>A schema that events were written with.</summary>
/// <param name="Id">Its id or GUID in the registry, as values name it.</param>
/// <param name="Text">Its text, with the types of others that it refers to in it; null: the registry does not have it, or not as
/// Avro.</param>
/// <param name="Record">The schema; null: it is not one of a record.</param>
internal sealed record WriterSchema(string Id, string? Text, RecordSchema? Record);
