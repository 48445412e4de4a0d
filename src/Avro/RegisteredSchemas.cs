using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>Schemas of a registry, together with those that they refer to. It keeps nothing. Thread-safe.</summary>
internal sealed class RegisteredSchemas(ISchemaRegistryClient registry)
{
    private const int SubjectNotFound = 40401;
    private const int VersionNotFound = 40402;
    private const int SchemaNotFound = 40403;

    /// <summary>The schema of an id.</summary>
    /// <exception cref="UndecodableMessageException">The registry does not have it, or it is not an Avro schema.</exception>
    /// <exception cref="HttpRequestException">The registry cannot be reached; trying again may help.</exception>
    public Task<AvroSchema> Find(int id) => Find($"schema {id}", () => registry.GetSchemaAsync(id));

    /// <summary>The schema of a GUID.</summary>
    /// <inheritdoc cref="Find(int)" path="/exception"/>
    public Task<AvroSchema> Find(Guid guid) => Find($"schema {guid}", () => registry.GetSchemaByGuidAsync(guid.ToString()));

    private async Task<AvroSchema> Find(string name, Func<Task<Schema>> registered)
    {
        try
        {
            Schema schema = await registered().ConfigureAwait(false);
            var parser = new SchemaParser();
            await ReadReferences(schema, parser, []).ConfigureAwait(false);
            return parser.Read(schema.SchemaString);
        }
        catch (SchemaRegistryException unknown) when (unknown.ErrorCode is SubjectNotFound or VersionNotFound or SchemaNotFound)
        {
            throw new UndecodableMessageException(UndecodableReason.UnknownSchemaId,
                $"The {name} is not in the Schema Registry, or one that it refers to is not.", unknown);
        }
        catch (SchemaParseException unusable)
        {
            throw new UndecodableMessageException(UndecodableReason.IncompatibleSchema,
                $"The {name} cannot be read: {unusable.Message}", unusable);
        }
        catch (Exception away) when (away is HttpRequestException or SchemaRegistryException or TimeoutException
            or OperationCanceledException)
        {
            // Refused connections, 5xx, refused credentials, and the HTTP client's time limit, which it tells as a cancellation: none says
            // anything of the message.
            throw new HttpRequestException($"The Schema Registry did not return the {name}: {away.Message}", away);
        }
    }

    // Those that a schema refers to come first; several may refer to one.
    private async Task ReadReferences(Schema schema, SchemaParser parser, HashSet<(string, int)> read)
    {
        foreach (SchemaReference reference in schema.References ?? [])
        {
            if (!read.Add((reference.Subject, reference.Version)))
                continue;
            RegisteredSchema referenced = await registry.GetRegisteredSchemaAsync(reference.Subject, reference.Version,
                ignoreDeletedSchemas: false).ConfigureAwait(false);
            await ReadReferences(referenced.Schema, parser, read).ConfigureAwait(false);
            parser.Read(referenced.SchemaString);
        }
    }
}
