namespace KafkaEventSourcing.Avro;

/// <summary>Why a message cannot be decoded.</summary>
public enum UndecodableReason
{
    /// <summary>It does not start as Confluent's wire format does.</summary>
    NotAvro,

    /// <summary>The registry knows no schema of its id.</summary>
    UnknownSchemaId,

    /// <summary>Its schema is of a type that nobody here declared.</summary>
    UnknownType,

    /// <summary>Its schema cannot be read as ours.</summary>
    IncompatibleSchema,

    /// <summary>Its bytes are not a value of its schema.</summary>
    Malformed,
}

/// <summary>A message that cannot be decoded, now or later: trying again gives the same answer.</summary>
public sealed class UndecodableMessageException : Exception
{
    /// <summary>Creates the error.</summary>
    public UndecodableMessageException(UndecodableReason reason, string message, Exception? inner = null)
        : base(message, inner) => Reason = reason;

    /// <summary>Why.</summary>
    public UndecodableReason Reason { get; }
}
