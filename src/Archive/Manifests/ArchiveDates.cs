namespace KafkaEventSourcing.Archive;

/// <summary>How the tables of event types are divided by the times of their events.</summary>
public enum ArchiveDates
{
    /// <summary>By days in UTC.</summary>
    Day,

    /// <summary>By months: the date is the first day of one. For few events: a file for each day of years would be many.</summary>
    Month,

    /// <summary>By years: the date is the first day of one.</summary>
    Year,
}
