using System.Globalization;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// A clock that is wrong by a fixed time, as the environment variable <c>KES_TEST_CLOCK_OFFSET</c> has it in seconds: for trials of what a
/// node does then. Measured times are right.
/// </summary>
internal sealed class OffsetTimeProvider(TimeProvider clock, TimeSpan offset) : TimeProvider
{
    private const string Variable = "KES_TEST_CLOCK_OFFSET";

    /// <summary>The clock of this process.</summary>
    public static TimeProvider OfEnvironment() =>
        double.TryParse(Environment.GetEnvironmentVariable(Variable), NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds)
            && seconds != 0
            ? new OffsetTimeProvider(System, TimeSpan.FromSeconds(seconds))
            : System;

    public override long TimestampFrequency => clock.TimestampFrequency;

    public override TimeZoneInfo LocalTimeZone => clock.LocalTimeZone;

    public override DateTimeOffset GetUtcNow() => clock.GetUtcNow() + offset;

    public override long GetTimestamp() => clock.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        clock.CreateTimer(callback, state, dueTime, period);
}
