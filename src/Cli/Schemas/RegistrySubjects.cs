using System.Globalization;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Schemas;

/// <summary>Questions to a registry.</summary>
internal static class RegistrySubjects
{
    private const int SubjectNotFound = 40401;
    private const int VersionNotFound = 40402;

    /// <summary>The subjects that begin with <paramref name="prefix"/>, in order.</summary>
    public static async Task<IReadOnlyList<string>> Of(ISchemaRegistryClient registry, string prefix) =>
        [.. (await registry.GetAllSubjectsAsync().ConfigureAwait(false)).Where(s => s.StartsWith(prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)];

    /// <summary>All versions of a subject, the first first.</summary>
    public static async Task<IReadOnlyList<RegisteredSchema>> VersionsOf(ISchemaRegistryClient registry, string subject)
    {
        try
        {
            var versions = new List<RegisteredSchema>();
            foreach (int version in (await registry.GetSubjectVersionsAsync(subject).ConfigureAwait(false)).Order())
                versions.Add(await registry.GetRegisteredSchemaAsync(subject, version).ConfigureAwait(false));
            return versions;
        }
        catch (SchemaRegistryException none) when (none.ErrorCode == SubjectNotFound)
        {
            throw NoSubject(subject, none);
        }
    }

    /// <summary>One version of a subject; null: the newest.</summary>
    /// <exception cref="CommandFailedException">There is no such subject or version.</exception>
    public static async Task<RegisteredSchema> Version(ISchemaRegistryClient registry, string subject, int? version)
    {
        try
        {
            return version is { } number
                ? await registry.GetRegisteredSchemaAsync(subject, number).ConfigureAwait(false)
                : await registry.GetLatestSchemaAsync(subject).ConfigureAwait(false);
        }
        catch (SchemaRegistryException none) when (none.ErrorCode == SubjectNotFound)
        {
            throw NoSubject(subject, none);
        }
        catch (SchemaRegistryException none) when (none.ErrorCode == VersionNotFound)
        {
            throw new CommandFailedException(string.Create(CultureInfo.InvariantCulture,
                $"The subject '{subject}' has no version {version}. 'kes schemas list {subject}' shows those that it has."), none);
        }
    }

    private static CommandFailedException NoSubject(string subject, Exception cause) =>
        new($"The registry has no subject '{subject}'. 'kes schemas list' shows those that it has.", cause);
}
