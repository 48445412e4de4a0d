using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>Schemas of a registry, together with those that they refer to. It keeps nothing. Thread-safe.</summary>
internal sealed class RegisteredSchemas(ISchemaRegistryClient registry) : IWriterSchemas
{
    private const int SubjectNotFound = 40401;
    private const int VersionNotFound = 40402;
    private const int SchemaNotFound = 40403;

    /// <inheritdoc/>
    public async Task<AvroSchema> Find(int id) => Parse($"schema {id}", await TextsOf(id).ConfigureAwait(false));

    /// <inheritdoc/>
    public async Task<AvroSchema> Find(Guid guid) => Parse($"schema {guid}", await TextsOf(guid).ConfigureAwait(false));

    /// <summary>The text of a schema, behind those that it refers to, in an order in which each comes after what it needs.</summary>
    /// <inheritdoc cref="Find(int)" path="/exception"/>
    public Task<IReadOnlyList<string>> TextsOf(int id) => TextsOf($"schema {id}", () => registry.GetSchemaAsync(id));

    /// <inheritdoc cref="TextsOf(int)"/>
    public Task<IReadOnlyList<string>> TextsOf(Guid guid) =>
        TextsOf($"schema {guid}", () => registry.GetSchemaByGuidAsync(guid.ToString()));

    /// <summary>The GUIDs of the schemas that are registered for <paramref name="topic"/> (subjects <c>topic-record</c>), by id.</summary>
    /// <exception cref="HttpRequestException">The registry cannot be reached; trying again may help.</exception>
    public async Task<IReadOnlyDictionary<int, Guid>> GuidsOf(string topic)
    {
        var found = new Dictionary<int, Guid>();
        try
        {
            string prefix = topic + "-";
            foreach (string subject in (await registry.GetAllSubjectsAsync().ConfigureAwait(false))
                .Where(s => s.StartsWith(prefix, StringComparison.Ordinal)))
            {
                foreach (int version in await registry.GetSubjectVersionsAsync(subject).ConfigureAwait(false))
                {
                    RegisteredSchema schema = await registry.GetRegisteredSchemaAsync(subject, version).ConfigureAwait(false);
                    if (Guid.TryParse(schema.Guid, out Guid guid))
                        found[schema.Id] = guid;
                }
            }
        }
        catch (SchemaRegistryException refused) when (refused.Status is System.Net.HttpStatusCode.Forbidden
            or System.Net.HttpStatusCode.NotFound)
        {
            // Who may read schemas by their ids need not be one who may list subjects; a subject may go while it is asked for.
        }

        return found;
    }

    /// <summary>The schema in the last of <paramref name="texts"/>, which may name types of those before it.</summary>
    /// <exception cref="UndecodableMessageException">It is not an Avro schema; <paramref name="name"/> is in the message.</exception>
    public static AvroSchema Parse(string name, IReadOnlyList<string> texts)
    {
        try
        {
            var parser = new SchemaParser();
            foreach (string referenced in texts.SkipLast(1))
                parser.Read(referenced);
            return parser.Read(texts[^1]);
        }
        catch (SchemaParseException unusable)
        {
            throw Unreadable(name, unusable);
        }
    }

    /// <summary>What is thrown for a schema that a registry does not have.</summary>
    public static UndecodableMessageException Missing(string name, Exception? cause = null) => new(UndecodableReason.UnknownSchemaId,
        $"The {name} is not in the Schema Registry, or one that it refers to is not.", cause);

    private async Task<IReadOnlyList<string>> TextsOf(string name, Func<Task<Schema>> registered)
    {
        try
        {
            Schema schema = await registered().ConfigureAwait(false);
            var texts = new List<string>();
            await ReadReferences(schema, texts, [], 0).ConfigureAwait(false);
            texts.Add(schema.SchemaString);
            return texts;
        }
        catch (SchemaRegistryException unknown) when (unknown.ErrorCode is SubjectNotFound or VersionNotFound or SchemaNotFound)
        {
            throw Missing(name, unknown);
        }
        catch (SchemaParseException unusable)
        {
            throw Unreadable(name, unusable);
        }
        catch (Exception away) when (away is HttpRequestException or SchemaRegistryException or TimeoutException
            or OperationCanceledException)
        {
            // Refused connections, 5xx, refused credentials, and the HTTP client's time limit, which it tells as a cancellation: none says
            // anything of the message.
            throw new HttpRequestException($"The Schema Registry did not return the {name}: {away.Message}", away);
        }
    }

    private static UndecodableMessageException Unreadable(string name, SchemaParseException unusable) =>
        new(UndecodableReason.IncompatibleSchema, $"The {name} cannot be read: {unusable.Message}", unusable);

    // Those that a schema refers to come first; several may refer to one.
    private async Task ReadReferences(Schema schema, List<string> texts, HashSet<(string, int)> read, int nested)
    {
        if (nested > SchemaParser.MaxDepth)
            throw new SchemaParseException($"Its references are nested deeper than {SchemaParser.MaxDepth}.");
        foreach (SchemaReference reference in schema.References ?? [])
        {
            if (!read.Add((reference.Subject, reference.Version)))
                continue;
            RegisteredSchema referenced = await registry.GetRegisteredSchemaAsync(reference.Subject, reference.Version,
                ignoreDeletedSchemas: false).ConfigureAwait(false);
            await ReadReferences(referenced.Schema, texts, read, nested + 1).ConfigureAwait(false);
            texts.Add(referenced.SchemaString);
        }
    }
}
