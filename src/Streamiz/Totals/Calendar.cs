namespace KafkaEventSourcing.Streamiz;

/// <summary>Windows of the calendar in a time zone. Immutable and thread-safe.</summary>
internal sealed class Calendar
{
    private readonly TimeZoneInfo _zone;

    /// <summary>The windows <paramref name="window"/> of the zone that IANA calls <paramref name="timeZone"/>.</summary>
    /// <exception cref="InvalidInputException">This machine does not have the zone.</exception>
    public Calendar(CalendarWindow window, string timeZone)
    {
        if (!Enum.IsDefined(window))
            throw new InvalidInputException(nameof(window), $"{window} is not a window of the calendar.");
        Window = window;
        try
        {
            _zone = TimeZoneInfo.FindSystemTimeZoneById(timeZone);
        }
        catch (Exception unknown) when (unknown is TimeZoneNotFoundException or InvalidTimeZoneException)
        {
            throw new InvalidInputException(nameof(timeZone),
                $"The time zone '{timeZone}' is not known on this machine; give an IANA name such as Europe/Prague, and install the time "
                    + $"zone data (tzdata) where it is left out, as in small container images.", unknown);
        }
    }

    /// <summary>The kind of window.</summary>
    public CalendarWindow Window { get; }

    /// <summary>The first day of the window that <paramref name="time"/> is in.</summary>
    public DateOnly FirstDayOf(DateTimeOffset time) => FirstDayOf(DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(time, _zone).DateTime));

    /// <summary>The first day of the window that <paramref name="day"/> is in.</summary>
    public DateOnly FirstDayOf(DateOnly day) => Window switch
    {
        CalendarWindow.Day => day,
        CalendarWindow.Week => day.AddDays(-(((int)day.DayOfWeek + 6) % 7)),
        _ => new DateOnly(day.Year, day.Month, 1),
    };

    /// <summary>The first day of the window after that which begins on <paramref name="firstDay"/>.</summary>
    public DateOnly Next(DateOnly firstDay) => Window switch
    {
        CalendarWindow.Day => firstDay.AddDays(1),
        CalendarWindow.Week => firstDay.AddDays(7),
        _ => firstDay.AddMonths(1),
    };

    /// <summary>
    /// When <paramref name="day"/> begins: midnight in the zone, or the first moment after it where clocks are put forward over midnight;
    /// the earlier of two midnights where they are put back over it.
    /// </summary>
    public DateTimeOffset BeginOf(DateOnly day)
    {
        DateTime midnight = day.ToDateTime(TimeOnly.MinValue);
        if (_zone.IsInvalidTime(midnight))
        {
            // The offset before the clocks were put forward: midnight by it is the moment of the change.
            TimeSpan before = _zone.GetUtcOffset(midnight.AddHours(-3));
            return new DateTimeOffset(midnight, before).ToUniversalTime();
        }

        TimeSpan offset = _zone.IsAmbiguousTime(midnight) ? _zone.GetAmbiguousTimeOffsets(midnight).Max() : _zone.GetUtcOffset(midnight);
        return new DateTimeOffset(midnight, offset).ToUniversalTime();
    }
}
