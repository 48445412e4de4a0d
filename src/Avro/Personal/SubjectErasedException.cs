namespace KafkaEventSourcing.Avro;

/// <summary>A message says something personal of somebody who was erased.</summary>
public sealed class SubjectErasedException : Exception
{
    /// <summary>The code of a command's rejection for this reason.</summary>
    public const string Code = "subject-erased";

    /// <summary>Creates the error; <paramref name="field"/> is the record and its field, divided by a dot.</summary>
    public SubjectErasedException(string subject, string field)
        : base($"{field}: '{subject}' was erased: nothing personal is stored of it any more. "
            + $"Leave the field out, or send '{PersonalValues.Erased}'.") => (Subject, Field) = (subject, field);

    /// <summary>Who was erased.</summary>
    public string Subject { get; }

    /// <summary>The record and the field that speak of it, divided by a dot.</summary>
    public string Field { get; }
}
