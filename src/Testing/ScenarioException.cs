namespace KafkaEventSourcing.Testing;

/// <summary>A scenario did not end as it says; the message shows what was expected and what came.</summary>
public sealed class ScenarioException : Exception
{
    /// <summary>Creates the error.</summary>
    public ScenarioException(string message) : base(message)
    {
    }
}
