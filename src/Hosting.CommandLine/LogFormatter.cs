using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>
/// A log record as one line: for people, or as a JSON object for programs. Passwords of addresses are hidden, and whatever a caller has
/// sent cannot begin a line of its own.
/// </summary>
internal sealed class LogFormatter(TimeProvider time, string name) : ConsoleFormatter(name)
{
    public const string Text = "text";
    public const string Json = "json";

    private const int MaxException = 16 * 1024; // in UTF-16 units
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        string message = Secrets.Redact(logEntry.Formatter(logEntry.State, logEntry.Exception));
        string? exception = logEntry.Exception is null ? null : Secrets.Redact(logEntry.Exception.ToString());
        if (exception?.Length > MaxException)
            exception = $"{exception[..MaxException]}…";
        string at = time.GetUtcNow().ToString(TimeFormat, CultureInfo.InvariantCulture);
        string failure = exception is null ? "" : $" {PlainText.Escape(exception)}";
        textWriter.WriteLine(Name == Json
            ? JsonOf(at, logEntry.LogLevel, logEntry.Category, message, exception)
            : $"{at} {Short(logEntry.LogLevel)}: {logEntry.Category}: {PlainText.Escape(message)}{failure}");
    }

    private static string JsonOf(string at, LogLevel level, string category, string message, string? exception)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("time", at);
            json.WriteString("level", level.ToString().ToLowerInvariant());
            json.WriteString("category", category);
            json.WriteString("message", message);
            if (exception is not null)
                json.WriteString("exception", exception);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static string Short(LogLevel level) => level switch
    {
        LogLevel.Trace => "trce",
        LogLevel.Debug => "dbug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "fail",
        _ => "crit",
    };
}
