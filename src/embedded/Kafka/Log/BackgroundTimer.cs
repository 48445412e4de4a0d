using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>Timers whose work may fail: what is thrown on a timer's thread would end the process.</summary>
internal static partial class BackgroundTimer
{
    /// <summary>A timer that is not armed yet, or one with a <paramref name="period"/>.</summary>
    public static ITimer Create(TimeProvider time, ILogger logger, string what, Action work, TimeSpan? period = null)
    {
        TimeSpan due = period ?? Timeout.InfiniteTimeSpan;
        return time.CreateTimer(_ => Run(logger, what, work), null, due, due);
    }

    private static void Run(ILogger logger, string what, Action work)
    {
        try
        {
            work();
        }
        catch (Exception failure)
        {
            LogFailed(logger, failure, what);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{What} failed; the broker goes on")]
    private static partial void LogFailed(ILogger logger, Exception failure, string what);
}
