namespace KafkaEventSourcing.Embedded.Kafka;

/// <summary>
/// Why a broker cannot write at present, such as a full disk. What is there can be read; what cannot be written is refused.
/// </summary>
/// <param name="Place">The folder whose files cannot be written.</param>
/// <param name="Message">What the system says, such as "No space left on device".</param>
/// <param name="Since">Since when.</param>
public sealed record StorageFault(string Place, string Message, DateTimeOffset Since);
