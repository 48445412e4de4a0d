namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>What a process answers with.</summary>
public static class ExitCodes
{
    /// <summary>It is done.</summary>
    public const int Done = 0;

    /// <summary>It failed.</summary>
    public const int Failed = 1;

    /// <summary>It was called in a wrong way.</summary>
    public const int WrongUsage = 2;
}
