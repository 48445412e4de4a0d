using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Avro;

/// <summary>Commands that only the engine sends, to processes.</summary>
public static class ProcessMessages
{
    /// <summary>Whether <paramref name="type"/> is one: no door takes it from a caller.</summary>
    public static bool Is(Type type) => type == typeof(CommandAnswered) || type == typeof(TimerElapsed);
}
