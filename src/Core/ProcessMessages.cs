namespace KafkaEventSourcing;

/// <summary>Commands that only the engine sends, to processes.</summary>
public static class ProcessMessages
{
    /// <summary>Whether <paramref name="type"/> is one: no entry point takes it from a caller.</summary>
    public static bool Is(Type type) => type == typeof(CommandCompleted) || type == typeof(TimerElapsed);
}
