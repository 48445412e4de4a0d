namespace KafkaEventSourcing.Avro;

/// <summary>
/// The Schema Registry refuses a schema of this application: as a rule it is not compatible with those that are registered under its
/// subject. The message names the subject and what differs.
/// </summary>
public sealed class SchemaRefusedException : Exception
{
    /// <summary>The refusal of a schema under <paramref name="subject"/>.</summary>
    public SchemaRefusedException(string subject, string message, Exception inner)
        : base(message, inner) => Subject = subject;

    /// <summary>The subject.</summary>
    public string Subject { get; }
}
