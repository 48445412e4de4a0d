using System.Collections.Concurrent;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// The schema of what a store keeps, with its id in the registry. Values are read with the schema that they are written with: what was
/// folded into a state of another schema is not one of this, and is folded again. Thread-safe.
/// </summary>
internal sealed class StreamSchema
{
    private readonly ISchemaRegistryClient _registry;
    private readonly string _topic;
    private readonly string _definition;
    private readonly string _fingerprint;
    private readonly ConcurrentDictionary<int, bool> _same = [];
    private readonly int? _id;

    private StreamSchema(ISchemaRegistryClient registry, string definition, string topic, string schemaJson, int? id)
    {
        (_registry, _definition, _topic, _id) = (registry, definition, topic, id);
        _fingerprint = SchemaFingerprint.Of(SchemaParser.Parse(schemaJson));
        if (id is { } own)
            _same[own] = true;
    }

    /// <summary>The id.</summary>
    /// <exception cref="InvalidOperationException">It is one for reading.</exception>
    public int Id => _id ?? throw new InvalidOperationException($"The schema of {_topic} was not registered: it is read only.");

    /// <summary>Of values that are read only: nothing is registered.</summary>
    public static StreamSchema ForReading(ISchemaRegistryClient registry, string definition, string topic, string schemaJson) =>
        new(registry, definition, topic, schemaJson, id: null);

    /// <summary>Registers <paramref name="schemaJson"/> under the subject <c>topic-record</c>.</summary>
    /// <exception cref="SchemaRefusedException">The registry does not take it.</exception>
    public static async Task<StreamSchema> RegisterAsync(ISchemaRegistryClient registry, string definition, string topic, string fullName,
        string schemaJson, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        string subject = $"{topic}-{fullName}";
        try
        {
            int id = await registry.RegisterSchemaAsync(subject, new Schema(schemaJson, SchemaType.Avro)).ConfigureAwait(false);
            return new StreamSchema(registry, definition, topic, schemaJson, id);
        }
        catch (SchemaRegistryException refused) when (refused.Status is System.Net.HttpStatusCode.Conflict
            or System.Net.HttpStatusCode.UnprocessableEntity)
        {
            throw new SchemaRefusedException(subject,
                $"The Schema Registry does not take the schema of {fullName} under the subject '{subject}': {refused.Message}", refused);
        }
    }

    /// <summary>The value within <paramref name="data"/>.</summary>
    /// <exception cref="StreamStateException">It was not written with this schema.</exception>
    /// <exception cref="HttpRequestException">The registry, which knows its schema, cannot be reached.</exception>
    public ReadOnlySpan<byte> Check(ReadOnlySpan<byte> data)
    {
        if (!WireFormat.TryReadSchemaId(data, out int id))
            throw new StreamStateException($"A value of {_topic} is not in Confluent's wire format: somebody else has written to it.");
        if (!_same.TryGetValue(id, out bool same))
            same = _same[id] = IsSame(id);
        return same
            ? data[WireFormat.HeaderLength..]
            : throw new StreamStateException($"{_topic} has values of the schema {id}, and this version keeps them in "
                + $"{(_id is { } own ? $"schema {own}, which is another one" : "another one")}: reset the streams '{_definition}', so that "
                + "they are folded again from the events.");
    }

    // Once per schema. Its documentation may differ.
    private bool IsSame(int id) =>
        SchemaFingerprint.Of(new RegisteredSchemas(_registry).Find(id).GetAwaiter().GetResult()) == _fingerprint;
}
