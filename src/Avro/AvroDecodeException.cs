namespace KafkaEventSourcing.Avro;

/// <summary>Bytes that are not a value of the schema.</summary>
public sealed class AvroDecodeException : Exception
{
    /// <summary>Creates the error; <paramref name="position"/> is the byte that could not be read.</summary>
    public AvroDecodeException(int position, string message) : base($"Byte {position}: {message}") => Position = position;

    /// <summary>The position, in bytes from the start of the value.</summary>
    public int Position { get; }
}
