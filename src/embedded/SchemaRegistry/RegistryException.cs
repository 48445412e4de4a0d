namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>A request that cannot be answered as asked, with Confluent's error code; the HTTP status is its first three digits.</summary>
internal sealed class RegistryException(int code, string message) : Exception(message)
{
    public int Code => code;

    public int Status => code >= 10_000 ? code / 100 : code;

    public static RegistryException SubjectNotFound(string subject) => new(40401, $"Subject '{subject}' not found.");

    public static RegistryException VersionNotFound(string version) => new(40402, $"Version {version} not found.");

    public static RegistryException SchemaNotFound() => new(40403, "Schema not found");

    public static RegistryException InvalidVersion(string version) =>
        new(42202, $"The specified version "
            + $"'{version}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"");

    public static RegistryException InvalidSchema(string reason) => new(42201, $"Invalid schema: {reason}");
}
