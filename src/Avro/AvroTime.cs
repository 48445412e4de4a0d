namespace KafkaEventSourcing.Avro;

/// <summary>Avro's logical types of time (Avro specification 1.12, "Logical Types"); used by generated code.</summary>
public static partial class AvroTime
{
    private static readonly int Epoch = DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber;

    /// <summary>Microseconds since the epoch, rounded down.</summary>
    public static long ToMicros(DateTimeOffset time) =>
        Math.DivRem(time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks, TimeSpan.TicksPerMicrosecond, out long rest) - (rest < 0 ? 1 : 0);

    /// <summary>The time of <paramref name="micros"/> microseconds since the epoch, UTC.</summary>
    /// <exception cref="AvroDecodeException">It is before year 1 or after year 9999.</exception>
    public static DateTimeOffset FromMicros(long micros) => FromUnits(micros, TimeSpan.TicksPerMicrosecond);

    /// <summary>Milliseconds since the epoch, rounded down.</summary>
    public static long ToMillis(DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    /// <summary>The time of <paramref name="millis"/> milliseconds since the epoch, UTC.</summary>
    /// <exception cref="AvroDecodeException">It is before year 1 or after year 9999.</exception>
    public static DateTimeOffset FromMillis(long millis) => FromUnits(millis, TimeSpan.TicksPerMillisecond);

    /// <summary>Days since the epoch.</summary>
    public static int ToDays(DateOnly day) => day.DayNumber - Epoch;

    /// <summary>The day that is <paramref name="days"/> after the epoch.</summary>
    /// <exception cref="AvroDecodeException">It is before year 1 or after year 9999.</exception>
    public static DateOnly FromDays(int days)
    {
        long number = (long)days + Epoch;
        return number >= DateOnly.MinValue.DayNumber && number <= DateOnly.MaxValue.DayNumber
            ? DateOnly.FromDayNumber((int)number)
            : throw new AvroDecodeException(0, $"The day {days} is not in the years 1 to 9999.");
    }

    /// <summary>The time as <see cref="ToMicros"/> and <see cref="FromMicros"/> keep it: whole microseconds, rounded down, UTC.</summary>
    public static DateTimeOffset WholeMicros(DateTimeOffset time) => Whole(time, TimeSpan.TicksPerMicrosecond);

    /// <summary>The time as <see cref="ToMillis"/> and <see cref="FromMillis"/> keep it: whole milliseconds, rounded down, UTC.</summary>
    public static DateTimeOffset WholeMillis(DateTimeOffset time) => Whole(time, TimeSpan.TicksPerMillisecond);

    // Year 1 begins with a whole unit, so that rounding down needs no look at the sign.
    private static DateTimeOffset Whole(DateTimeOffset time, long ticksPerUnit) =>
        new(time.UtcTicks - time.UtcTicks % ticksPerUnit, TimeSpan.Zero);

    private static DateTimeOffset FromUnits(long units, long ticksPerUnit)
    {
        Int128 ticks = (Int128)units * ticksPerUnit + DateTimeOffset.UnixEpoch.Ticks;
        return ticks >= 0 && ticks <= DateTimeOffset.MaxValue.Ticks
            ? new DateTimeOffset((long)ticks, TimeSpan.Zero)
            : throw new AvroDecodeException(0, $"The time {units} is not in the years 1 to 9999.");
    }
}
