using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Why an event parks its aggregate: stable names, for operators and for later code that may be able to read it.</summary>
internal static class ParkingCauses
{
    /// <summary>The cause of a letter that is an event which can be read and not folded.</summary>
    public const string Unfoldable = "unfoldable-event";

    /// <summary>
    /// Causes of letters that are events whose value cannot be read: the code does not have their type, the registry not their schema, or
    /// it is no such value.
    /// </summary>
    public const string UnknownEvent = "unknown-event", UnknownSchema = "unknown-schema", NotAvro = "not-avro",
        Undecodable = "undecodable-event";

    /// <summary>The cause of a letter that stands among the events and is none of them: it may be discarded.</summary>
    public const string Foreign = "foreign-record";

    /// <summary>What parks an aggregate when <paramref name="failure"/> is met.</summary>
    public static string From(InvalidDataException failure) => failure.InnerException switch
    {
        ForeignRecordException => Foreign,
        UndecodableMessageException { Reason: UndecodableReason.UnknownType } => UnknownEvent,
        UndecodableMessageException { Reason: UndecodableReason.UnknownSchemaId } => UnknownSchema,
        UndecodableMessageException { Reason: UndecodableReason.NotAvro } => NotAvro,
        UndecodableMessageException => Undecodable,
        _ => Unfoldable,
    };

    /// <summary>Whether <paramref name="cause"/> is that of an event whose value cannot be read: other code may be able to.</summary>
    public static bool IsUnreadable(string cause) => cause is UnknownEvent or UnknownSchema or NotAvro or Undecodable;
}
