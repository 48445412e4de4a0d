namespace KafkaEventSourcing.Avro;

/// <summary>A value that its schema cannot hold, so that nobody could read it.</summary>
public sealed class AvroEncodeException : Exception
{
    /// <summary>Creates the error; <paramref name="field"/> is the record and its field, divided by a dot.</summary>
    public AvroEncodeException(string field, string message) : base($"{field}: {message}") => Field = field;

    /// <summary>The record and the field that the value is in, divided by a dot.</summary>
    public string Field { get; }
}
