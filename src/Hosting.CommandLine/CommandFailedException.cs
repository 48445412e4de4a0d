namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>A command has failed for a reason that its user can understand: the message is all there is to say. Exit code 1.</summary>
public sealed class CommandFailedException : Exception
{
    /// <summary>Creates the failure; <paramref name="message"/> says what was wrong, where, and what to do.</summary>
    public CommandFailedException(string message) : base(message)
    {
    }

    /// <summary>Creates the failure with its cause.</summary>
    public CommandFailedException(string message, Exception inner) : base(message, inner)
    {
    }
}
