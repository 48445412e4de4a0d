using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>Logging of command line programs: to standard error, so that standard output holds results only.</summary>
public static class ConsoleLog
{
    /// <summary>
    /// Warnings and worse; with <paramref name="verbose"/> also what goes on. One line each, with the day and the time in UTC; with
    /// <paramref name="json"/> each is a JSON object.
    /// </summary>
    public static ILoggerFactory Create(bool verbose, bool json = false) => LoggerFactory.Create(logging =>
    {
        logging.AddConsole(console =>
        {
            console.LogToStandardErrorThreshold = LogLevel.Trace;
            console.FormatterName = json ? LogFormatter.Json : LogFormatter.Text;
        });
        foreach (string name in (string[])[LogFormatter.Text, LogFormatter.Json])
            logging.Services.AddSingleton<ConsoleFormatter>(new LogFormatter(TimeProvider.System, name));
        logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning) // lines for each request
            // that it could not start is told as the command's own failure, in a sentence
            .AddFilter("Microsoft.Extensions.Hosting.Internal", LogLevel.Critical)
            .SetMinimumLevel(verbose ? LogLevel.Information : LogLevel.Warning);
    });
}
