namespace KafkaEventSourcing.Avro;

/// <content>Times of day, and times without a zone.</content>
public static partial class AvroTime
{
    private static readonly long EpochTicks = DateTime.UnixEpoch.Ticks;

    /// <summary>The time of day that is <paramref name="millis"/> milliseconds after midnight.</summary>
    /// <exception cref="AvroDecodeException">A day does not have so many, or it is below 0.</exception>
    public static TimeOnly FromMillisOfDay(int millis) => FromUnitsOfDay(millis, TimeSpan.TicksPerMillisecond);

    /// <summary>Milliseconds after midnight, rounded down.</summary>
    public static int ToMillisOfDay(TimeOnly time) => (int)(time.Ticks / TimeSpan.TicksPerMillisecond);

    /// <summary>The time of day that is <paramref name="micros"/> microseconds after midnight.</summary>
    /// <exception cref="AvroDecodeException">A day does not have so many, or it is below 0.</exception>
    public static TimeOnly FromMicrosOfDay(long micros) => FromUnitsOfDay(micros, TimeSpan.TicksPerMicrosecond);

    /// <summary>Microseconds after midnight, rounded down.</summary>
    public static long ToMicrosOfDay(TimeOnly time) => time.Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>The time of day in whole milliseconds, rounded down.</summary>
    public static TimeOnly WholeMillis(TimeOnly time) => new(time.Ticks - time.Ticks % TimeSpan.TicksPerMillisecond);

    /// <summary>The time of day in whole microseconds, rounded down.</summary>
    public static TimeOnly WholeMicros(TimeOnly time) => new(time.Ticks - time.Ticks % TimeSpan.TicksPerMicrosecond);

    /// <summary>The time without a zone, <paramref name="millis"/> milliseconds after the first moment of 1970.</summary>
    /// <exception cref="AvroDecodeException">It is before year 1 or after year 9999.</exception>
    public static DateTime FromLocalMillis(long millis) => FromMillis(millis).DateTime;

    /// <summary>Milliseconds after the first moment of 1970, rounded down. What zone the time is in is not looked at.</summary>
    public static long ToLocalMillis(DateTime time) => ToMillis(AsUtc(time));

    /// <summary>The time without a zone, <paramref name="micros"/> microseconds after the first moment of 1970.</summary>
    /// <exception cref="AvroDecodeException">It is before year 1 or after year 9999.</exception>
    public static DateTime FromLocalMicros(long micros) => FromMicros(micros).DateTime;

    /// <summary>Microseconds after the first moment of 1970, rounded down. What zone the time is in is not looked at.</summary>
    public static long ToLocalMicros(DateTime time) => ToMicros(AsUtc(time));

    /// <summary>
    /// The time without a zone, <paramref name="nanos"/> nanoseconds after the first moment of 1970, rounded down to 100.
    /// </summary>
    /// <exception cref="AvroDecodeException">Rounded down it has no nanoseconds of 64 bits.</exception>
    public static DateTime FromLocalNanos(long nanos) => FromNanos(nanos).DateTime;

    /// <summary>Nanoseconds after the first moment of 1970. What zone the time is in is not looked at.</summary>
    /// <exception cref="AvroEncodeException">The time, of <paramref name="field"/>, has no nanoseconds of 64 bits.</exception>
    public static long ToLocalNanos(DateTime time, string field) => ToNanos(AsUtc(time), field);

    /// <summary>The same time on the clock, in whole milliseconds, rounded down, without a zone.</summary>
    public static DateTime WholeLocalMillis(DateTime time) => new(time.Ticks - time.Ticks % TimeSpan.TicksPerMillisecond);

    /// <summary>The same time on the clock, in whole microseconds, rounded down, without a zone.</summary>
    public static DateTime WholeLocalMicros(DateTime time) => new(time.Ticks - time.Ticks % TimeSpan.TicksPerMicrosecond);

    /// <summary>The same time on the clock, without a zone.</summary>
    public static DateTime Local(DateTime time) => new(time.Ticks);

    /// <summary>The same instant in UTC.</summary>
    public static DateTimeOffset Utc(DateTimeOffset time) => time.ToUniversalTime();

    /// <summary>
    /// The time of <paramref name="nanos"/> nanoseconds since the epoch, UTC, rounded down to the 100 nanoseconds that .NET counts in.
    /// </summary>
    /// <exception cref="AvroDecodeException">Rounded down it has no nanoseconds of 64 bits.</exception>
    public static DateTimeOffset FromNanos(long nanos)
    {
        long ticks = Math.DivRem(nanos, TimeSpan.NanosecondsPerTick, out long rest) - (rest < 0 ? 1 : 0);
        return HasNanos(new DateTimeOffset(EpochTicks + ticks, TimeSpan.Zero));
    }

    /// <summary>Nanoseconds since the epoch.</summary>
    /// <exception cref="AvroEncodeException">The time, of <paramref name="field"/>, is not in the years 1677 to 2262, which are those that
    /// 64 bits have nanoseconds for.</exception>
    public static long ToNanos(DateTimeOffset time, string field) => TryToNanos(time, out long nanos)
        ? nanos
        : throw new AvroEncodeException(field, $"The time {time:O} is not in the years 1677 to 2262, which nanoseconds of 64 bits have.");

    /// <summary>The time itself, which <see cref="ToNanos"/> takes.</summary>
    /// <exception cref="AvroDecodeException">It has no nanoseconds of 64 bits.</exception>
    internal static DateTimeOffset HasNanos(DateTimeOffset time) => TryToNanos(time, out _)
        ? time
        : throw new AvroDecodeException(0, $"The time {time:O} is not in the years 1677 to 2262, which nanoseconds of 64 bits have.");

    /// <inheritdoc cref="HasNanos(DateTimeOffset)"/>
    internal static DateTime HasNanos(DateTime time) => HasNanos(AsUtc(time)).DateTime;

    private static bool TryToNanos(DateTimeOffset time, out long nanos)
    {
        Int128 exact = (Int128)(time.UtcTicks - EpochTicks) * TimeSpan.NanosecondsPerTick;
        nanos = unchecked((long)exact);
        return nanos == exact;
    }

    private static DateTimeOffset AsUtc(DateTime time) => new(time.Ticks, TimeSpan.Zero);

    private static TimeOnly FromUnitsOfDay(long units, long ticksPerUnit) =>
        units >= 0 && units < TimeSpan.TicksPerDay / ticksPerUnit
            ? new TimeOnly(units * ticksPerUnit)
            : throw new AvroDecodeException(0, $"The time of day {units} is not between midnight and midnight.");
}
