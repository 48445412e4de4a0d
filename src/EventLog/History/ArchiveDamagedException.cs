namespace KafkaEventSourcing.EventLog;

/// <summary>
/// An archive does not have what it should: a range of events is missing, doubled or damaged, or is of another topic. Whoever reads it
/// stops there, as nothing is skipped; an operator has to bring the files back.
/// </summary>
public sealed class ArchiveDamagedException : Exception
{
    /// <summary>With <paramref name="message"/>, which says what is wrong and where.</summary>
    public ArchiveDamagedException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
