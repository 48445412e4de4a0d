namespace KafkaEventSourcing.Hosting;

/// <summary>
/// Read models are waited for, and a partition of them stands still at an event that cannot be read, or that a projection does not take. It
/// is tried again as long as the node runs.
/// </summary>
public sealed class ReadModelsStoppedException : Exception
{
    /// <summary>With <paramref name="message"/>, which names the event and what is wrong.</summary>
    public ReadModelsStoppedException(string message)
        : base(message)
    {
    }
}
