namespace KafkaEventSourcing.EventLog;

/// <summary>
/// The keys that wrap the keys of subjects: of a file, of the environment, or of a key management service. Thread-safe. They are never in
/// Kafka.
/// </summary>
public interface IMasterKeys
{
    /// <summary>The id of the master key that wraps from now on.</summary>
    string CurrentId { get; }

    /// <summary>Encrypts <paramref name="key"/>, of 32 bytes, with the current master key.</summary>
    /// <param name="key">The key of a subject.</param>
    /// <param name="context">What only the same call of <see cref="UnwrapAsync"/> may open it with (associated data).</param>
    /// <param name="cancellationToken">Ends the call.</param>
    ValueTask<byte[]> WrapAsync(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> context, CancellationToken cancellationToken = default);

    /// <summary>What <see cref="WrapAsync"/> has encrypted with the master key <paramref name="masterKeyId"/>.</summary>
    /// <exception cref="MasterKeyException">There is no such master key here, or it is another one.</exception>
    ValueTask<byte[]> UnwrapAsync(string masterKeyId, ReadOnlyMemory<byte> wrapped, ReadOnlyMemory<byte> context,
        CancellationToken cancellationToken = default);
}

/// <summary>A master key is missing, or is not the one that has wrapped a key.</summary>
public sealed class MasterKeyException : Exception
{
    /// <summary>Creates the error.</summary>
    public MasterKeyException(string masterKeyId, string message, Exception? inner = null)
        : base(message, inner) => MasterKeyId = masterKeyId;

    /// <summary>The id of the master key.</summary>
    public string MasterKeyId { get; }
}
