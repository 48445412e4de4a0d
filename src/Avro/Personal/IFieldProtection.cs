namespace KafkaEventSourcing.Avro;

/// <summary>
/// Seals the values of tagged fields for the person that they speak of, and opens them. Thread-safe; a call may block while a key is
/// fetched.
/// </summary>
public interface IFieldProtection
{
    /// <summary>How often a subject has been erased as far as is known here: what was opened at a lower number may be erased now.</summary>
    long Erasures { get; }

    /// <summary>
    /// <paramref name="value"/> of <paramref name="field"/>, sealed for <paramref name="subject"/>: the same bytes for the same value and
    /// field. Null: the subject is erased.
    /// </summary>
    byte[]? Seal(string subject, string field, ReadOnlySpan<byte> value);

    /// <summary>The value that <see cref="Seal"/> has sealed; null: its subject is erased.</summary>
    /// <exception cref="InvalidDataException">It is not such a value, or its key is not where keys are kept.</exception>
    byte[]? Open(ReadOnlySpan<byte> sealedValue);
}
