using System.Text.Json;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Avro.Schemas;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>
/// What the registry knows. It changes only by <see cref="Apply"/>, which learns of every record of the topic in its order; requests read
/// it under its lock and write to the topic. One writer at a time.
/// </summary>
internal sealed class SchemaStore : IAsyncDisposable
{
    private const string ReadOnly = "READONLY";
    private const string ReadWrite = "READWRITE";
    private const string Import = "IMPORT";

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _writer = new(1, 1);
    private readonly SortedDictionary<string, SortedDictionary<int, RegisteredSchema>> _subjects = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _levels = [];
    private readonly Dictionary<string, string> _modes = [];
    private SchemaLog _log = null!;
    private int _lastId;

    public static async Task<SchemaStore> Open(EmbeddedSchemaRegistryOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        var store = new SchemaStore();
        store._log = await SchemaLog.Open(options, store.Apply, logger, cancellationToken).ConfigureAwait(false);
        return store;
    }

    public async ValueTask DisposeAsync()
    {
        await _log.DisposeAsync().ConfigureAwait(false);
        _writer.Dispose();
    }

    public IReadOnlyList<string> Subjects(bool deleted, string? prefix)
    {
        lock (_lock)
            return [.. _subjects.Where(s =>
                s.Key.StartsWith(prefix ?? "", StringComparison.Ordinal) && (deleted || s.Value.Values.Any(v => !v.Deleted))).Select(
                    s => s.Key)];
    }

    public IReadOnlyList<RegisteredSchema> Versions(string subject, bool deleted)
    {
        lock (_lock)
        {
            RegisteredSchema[] versions = _subjects.TryGetValue(subject, out SortedDictionary<int, RegisteredSchema>? all)
                ? [.. all.Values.Where(v => deleted || !v.Deleted)]
                : [];
            return versions.Length > 0 ? versions : throw RegistryException.SubjectNotFound(subject);
        }
    }

    public RegisteredSchema Version(string subject, string version, bool deleted)
    {
        IReadOnlyList<RegisteredSchema> versions = Versions(subject, deleted);
        if (version is "latest" or "-1")
            return versions[^1];
        if (!int.TryParse(version, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture,
            out int number) || number < 1)
            throw RegistryException.InvalidVersion(version);
        return versions.FirstOrDefault(v => v.Version == number) ?? throw RegistryException.VersionNotFound(version);
    }

    public IReadOnlyList<RegisteredSchema> OfId(int id)
    {
        lock (_lock)
        {
            RegisteredSchema[] found = [.. _subjects.Values.SelectMany(s => s.Values).Where(s => s.Id == id)];
            return found.Length > 0 ? found : throw RegistryException.SchemaNotFound();
        }
    }

    public IReadOnlyList<RegisteredSchema> OfGuid(string guid)
    {
        lock (_lock)
        {
            RegisteredSchema[] found = Guid.TryParse(guid, out Guid wanted)
                ? [.. _subjects.Values.SelectMany(s => s.Values).Where(s => s.Guid == wanted)]
                : [];
            return found.Length > 0 ? found : throw RegistryException.SchemaNotFound();
        }
    }

    public IReadOnlyList<int> ReferencedBy(RegisteredSchema schema)
    {
        lock (_lock)
            return [.. _subjects.Values.SelectMany(s => s.Values).Where(s =>
                !s.Deleted && (s.References?.Any(r => r.Subject == schema.Subject && r.Version == schema.Version) ?? false)).Select(s =>
                    s.Id).Distinct().Order()];
    }

    /// <summary>The version of the subject that has this schema.</summary>
    public RegisteredSchema Lookup(string subject, SchemaRequest request, bool deleted, bool normalize)
    {
        IReadOnlyList<RegisteredSchema> versions = Versions(subject, deleted);
        Parse(request);
        if (normalize)
            request = Normalized(request);
        return versions.FirstOrDefault(v => Same(v, request)) ?? throw RegistryException.SchemaNotFound();
    }

    public Task<RegisteredSchema> Register(string subject, SchemaRequest request, bool normalize) => Exclusively(async () =>
    {
        if (ModeOf(subject) == ReadOnly)
            throw new RegistryException(42205, $"Subject {subject} is in read-only mode");
        AvroSchema candidate = Parse(request);
        if (normalize)
            request = Normalized(request);
        RegisteredSchema[] versions;
        int id;
        lock (_lock)
        {
            versions = _subjects.TryGetValue(subject, out SortedDictionary<int, RegisteredSchema>? all) ? [.. all.Values] : [];
            if (versions.FirstOrDefault(v => !v.Deleted && Same(v, request)) is { } present)
                return present;
            id = request.Id ?? _subjects.Values.SelectMany(s => s.Values).FirstOrDefault(s => Same(s, request))?.Id ?? _lastId + 1;
        }

        if (request.Id is not null && ModeOf(subject) != Import)
            throw new RegistryException(42205, $"Subject {subject} is not in import mode");
        List<string> problems = LevelOf(subject).Check(candidate, [.. versions.Where(v => !v.Deleted).Select(ParseRegistered)]);
        if (problems.Count > 0)
            throw new RegistryException(409,
                $"Schema being registered is incompatible with an earlier schema for subject \"{subject}\", details: "
                    + $"[{string.Join("; ", problems)}]");
        int version = request.Version ?? versions.Select(v => v.Version).DefaultIfEmpty().Max() + 1;
        var registered = new RegisteredSchema
        {
            Subject = subject,
            Version = version,
            Id = id,
            References = request.References is { Count: > 0 } references ? references : null,
            Schema = request.Schema!,
        };
        await _log.Write((SchemaKey(subject, version), JsonSerializer.Serialize(registered))).ConfigureAwait(false);
        return registered;
    });

    /// <summary>Why the schema does not get along with a version, or with those that the subject's level names.</summary>
    public List<string> Compatibility(string subject, string? version, SchemaRequest request)
    {
        AvroSchema candidate = Parse(request);
        CompatibilityLevel level = LevelOf(subject);
        return version is null
            ? level.Check(candidate, [.. Versions(subject, deleted: false).Select(ParseRegistered)])
            : level.Check(candidate, [ParseRegistered(Version(subject, version, deleted: false))]);
    }

    public Task<IReadOnlyList<int>> DeleteSubject(string subject, bool permanent) => Exclusively<IReadOnlyList<int>>(async () =>
    {
        IReadOnlyList<RegisteredSchema> versions = Versions(subject, deleted: permanent);
        if (permanent && versions.Any(v => !v.Deleted))
            throw new RegistryException(40405, $"Subject '{subject}' was not deleted first before being permanently deleted");
        foreach (RegisteredSchema version in versions)
            CheckNotReferenced(version);
        IEnumerable<(string, string?)> changes = versions.Select(v =>
            (SchemaKey(subject, v.Version), permanent ? null : JsonSerializer.Serialize(v with { Deleted = true })));
        if (permanent && Level(subject) is not null)
            changes = changes.Append((SettingKey("CONFIG", subject), null));
        if (permanent && Mode(subject) is not null)
            changes = changes.Append((SettingKey("MODE", subject), null));
        await _log.Write([.. changes]).ConfigureAwait(false);
        return [.. versions.Select(v => v.Version)];
    });

    public Task<int> DeleteVersion(string subject, string version, bool permanent) => Exclusively(async () =>
    {
        RegisteredSchema schema = Version(subject, version, deleted: permanent);
        if (permanent && !schema.Deleted)
            throw new RegistryException(40407,
                $"Subject '{subject}' Version {schema.Version} was not deleted first before being permanently deleted");
        CheckNotReferenced(schema);
        await _log.Write((SchemaKey(subject, schema.Version), permanent ? null : JsonSerializer.Serialize(schema with { Deleted = true })))
            .ConfigureAwait(false);
        return schema.Version;
    });

    public CompatibilityLevel LevelOf(string? subject) => CompatibilityLevels.Parse(Level(subject) ?? Level(null) ?? "BACKWARD");

    /// <summary>The level that was set for the subject (null: for all); null when none was.</summary>
    public string? Level(string? subject)
    {
        lock (_lock)
            return _levels.GetValueOrDefault(subject ?? "");
    }

    public Task SetLevel(string? subject, CompatibilityLevel level) =>
        Exclusively(async () =>
            await Done(_log.Write((SettingKey("CONFIG", subject), $"{{\"compatibilityLevel\":\"{level.Name()}\"}}"))).ConfigureAwait(
                false));

    public Task DeleteLevel(string? subject) =>
        Exclusively(async () => await Done(_log.Write((SettingKey("CONFIG", subject), null))).ConfigureAwait(false));

    public string ModeOf(string? subject) => Mode(subject) ?? Mode(null) ?? ReadWrite;

    public string? Mode(string? subject)
    {
        lock (_lock)
            return _modes.GetValueOrDefault(subject ?? "");
    }

    public Task SetMode(string? subject, string? mode) => mode is ReadOnly or ReadWrite or Import
        ? Exclusively(async () => await Done(_log.Write((SettingKey("MODE", subject), $"{{\"mode\":\"{mode}\"}}"))).ConfigureAwait(false))
        : throw new RegistryException(42204, $"Invalid mode. Valid values are {ReadWrite}, {ReadOnly}, {Import}");

    public Task DeleteMode(string? subject) =>
        Exclusively(async () => await Done(_log.Write((SettingKey("MODE", subject), null))).ConfigureAwait(false));

    private static async Task<bool> Done(Task task)
    {
        await task.ConfigureAwait(false);
        return true;
    }

    private static string SchemaKey(string subject, int version) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{{\"keytype\":\"SCHEMA\",\"subject\":{JsonSerializer.Serialize(subject)},\"version\":{version},\"magic\":1}}");

    private static string SettingKey(string type, string? subject) =>
        $"{{\"keytype\":\"{type}\",\"subject\":{JsonSerializer.Serialize(subject)},\"magic\":0}}";

    private static SchemaRequest Normalized(SchemaRequest request) =>
        request with { Schema = SchemaNormalization.Normalize(request.Schema!) };

    // Texts that differ in blanks, or in how they write a full name, are one schema.
    private static bool Same(RegisteredSchema registered, SchemaRequest request) =>
        JsonNode.DeepEquals(SchemaNormalization.Qualified(registered.Schema), SchemaNormalization.Qualified(request.Schema!))
        && (registered.References ?? []).SequenceEqual(request.References ?? []);

    private async Task<T> Exclusively<T>(Func<Task<T>> change)
    {
        await _writer.WaitAsync().ConfigureAwait(false);
        try
        {
            return await change().ConfigureAwait(false);
        }
        finally
        {
            _writer.Release();
        }
    }

    private void CheckNotReferenced(RegisteredSchema schema)
    {
        if (ReferencedBy(schema).Count > 0)
            throw new RegistryException(42206,
                $"One or more references exist to the schema "
                    + $"{{magic=1,keytype=SCHEMA,subject={schema.Subject},version={schema.Version}}}.");
    }

    private AvroSchema ParseRegistered(RegisteredSchema schema) =>
        Parse(new SchemaRequest { Schema = schema.Schema, References = schema.References });

    private AvroSchema Parse(SchemaRequest request)
    {
        if (request.SchemaType is not (null or "AVRO"))
            throw RegistryException.InvalidSchema($"The schema type {request.SchemaType} is not supported; AVRO is.");
        if (string.IsNullOrWhiteSpace(request.Schema))
            throw RegistryException.InvalidSchema("it is empty");
        try
        {
            var parser = new SchemaParser();
            ParseReferences(request.References, parser, [], 0);
            return parser.Read(request.Schema);
        }
        catch (SchemaParseException invalid)
        {
            throw RegistryException.InvalidSchema(invalid.Message);
        }
    }

    // Several schemas may refer to one: it is read once.
    private void ParseReferences(
        List<SchemaReference>? references, SchemaParser parser, HashSet<(string Subject, int Version)> read, int nested)
    {
        if (nested > SchemaParser.MaxDepth)
            throw RegistryException.InvalidSchema($"its references are nested deeper than {SchemaParser.MaxDepth}");
        foreach (SchemaReference reference in references ?? [])
        {
            if (!read.Add((reference.Subject, reference.Version)))
                continue;
            RegisteredSchema used;
            try
            {
                used = Version(reference.Subject, reference.Version.ToString(System.Globalization.CultureInfo.InvariantCulture),
                    deleted: true);
            }
            catch (RegistryException)
            {
                throw RegistryException.InvalidSchema(
                    $"No schema reference found for subject \"{reference.Subject}\" and version {reference.Version}");
            }

            ParseReferences(used.References, parser, read, nested + 1);
            parser.Read(used.Schema);
        }
    }

    private void Apply(string key, string? value)
    {
        if (JsonNode.Parse(key) is not JsonObject parsed)
            return;
        string? subject = (string?)parsed["subject"];
        lock (_lock)
        {
            switch ((string?)parsed["keytype"])
            {
                case "SCHEMA":
                    ApplySchema(subject!, (int)parsed["version"]!, value);
                    break;
                case "CONFIG":
                    ApplySetting(_levels, subject, value, "compatibilityLevel");
                    break;
                case "MODE":
                    ApplySetting(_modes, subject, value, "mode");
                    break;
                case "DELETE_SUBJECT" when value is not null
                    && _subjects.TryGetValue(subject!, out SortedDictionary<int, RegisteredSchema>? versions):
                    int upTo = (int)JsonNode.Parse(value)!["version"]!;
                    foreach (RegisteredSchema one in versions.Values.Where(v => v.Version <= upTo).ToArray())
                        versions[one.Version] = one with { Deleted = true };
                    break;
            }
        }
    }

    private static void ApplySetting(Dictionary<string, string> settings, string? subject, string? value, string name)
    {
        if (value is null)
            settings.Remove(subject ?? "");
        else if ((string?)JsonNode.Parse(value)?[name] is { } text)
            settings[subject ?? ""] = text;
    }

    private void ApplySchema(string subject, int version, string? value)
    {
        if (value is null)
        {
            if (_subjects.TryGetValue(subject, out SortedDictionary<int, RegisteredSchema>? left)
                && left.Remove(version)
                && left.Count == 0)
                _subjects.Remove(subject);
            return;
        }

        RegisteredSchema schema = JsonSerializer.Deserialize<RegisteredSchema>(value)!;
        if (!_subjects.TryGetValue(subject, out SortedDictionary<int, RegisteredSchema>? versions))
            _subjects.Add(subject, versions = []);
        versions[version] = schema;
        _lastId = Math.Max(_lastId, schema.Id);
    }
}
