namespace KafkaEventSourcing.Archive;

/// <summary>
/// There is no archive at a place: nobody has made one there, the place is another than meant, or a volume is not mounted. It is not made
/// by itself, as it would look like an archive from which everything is gone.
/// </summary>
public sealed class ArchiveNotFoundException : IOException
{
    /// <summary>Initializes it.</summary>
    public ArchiveNotFoundException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
