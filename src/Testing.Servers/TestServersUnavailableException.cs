namespace KafkaEventSourcing.Testing;

/// <summary>The servers that were asked for cannot be had on this machine; a test should be skipped with this message.</summary>
public sealed class TestServersUnavailableException : Exception
{
    /// <summary>Creates the error.</summary>
    public TestServersUnavailableException(string message, Exception inner) : base(message, inner)
    {
    }
}
