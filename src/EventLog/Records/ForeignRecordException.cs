namespace KafkaEventSourcing.EventLog;

/// <summary>
/// The cause of an <see cref="InvalidDataException"/>: a record of an events topic that no writer of this library has written, as its key
/// or its headers are not those of an event.
/// </summary>
public sealed class ForeignRecordException : Exception
{
    /// <summary>With <paramref name="message"/>, which says what is wrong.</summary>
    public ForeignRecordException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>Whether <paramref name="failure"/> reports such a record.</summary>
    public static bool IsCauseOf(InvalidDataException failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        return failure.InnerException is ForeignRecordException;
    }
}
