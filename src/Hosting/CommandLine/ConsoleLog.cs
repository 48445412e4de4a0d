using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>Logging of command line programs: to standard error, so that standard output holds results only.</summary>
public static class ConsoleLog
{
    /// <summary>Warnings and worse; with <paramref name="verbose"/> also what goes on.</summary>
    public static ILoggerFactory Create(bool verbose) => LoggerFactory.Create(logging => logging
        .AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss.fff ";
            console.UseUtcTimestamp = true;
        })
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
        .AddFilter("Microsoft.AspNetCore", LogLevel.Warning) // lines for each request
        .SetMinimumLevel(verbose ? LogLevel.Information : LogLevel.Warning));
}
