namespace KafkaEventSourcing.Streamiz;

/// <summary>A part of the calendar.</summary>
public enum CalendarWindow
{
    /// <summary>A day.</summary>
    Day,

    /// <summary>A week, from Monday on (ISO 8601).</summary>
    Week,

    /// <summary>A month.</summary>
    Month,
}
