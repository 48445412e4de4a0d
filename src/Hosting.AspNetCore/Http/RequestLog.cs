using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// Requests that have failed, in lines that no caller can forge or multiply into pages: a fault has its stack trace the first time in a
/// minute, and a line each time after that. Thread-safe.
/// </summary>
internal sealed partial class RequestLog(ILogger logger, TimeProvider time)
{
    private const int MaxKinds = 1_000;
    private static readonly TimeSpan Repeat = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<(Type Fault, string? Thrower), long> _told = [];

    /// <summary>The outcome was not known in time.</summary>
    public void TimedOut(string method, string path, string reason) => LogTimedOut(method, path, reason);

    /// <summary>The node failed.</summary>
    public void Failed(string method, string path, Exception fault)
    {
        if (IsNew((fault.GetType(), fault.TargetSite?.ToString())))
            LogFailed(fault, method, path);
        else
            LogFailedAgain(method, path, fault.GetType().Name, fault.Message);
    }

    private bool IsNew((Type, string?) kind)
    {
        long now = time.GetTimestamp();
        if (_told.TryGetValue(kind, out long before) && time.GetElapsedTime(before, now) < Repeat)
            return false;
        if (_told.Count > MaxKinds)
            _told.Clear();
        _told[kind] = now;
        return true;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The request {Method} {Path} failed")]
    private partial void LogFailed(Exception fault, string method, string path);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "The request {Method} {Path} failed as one before it did, within a minute: {Fault}: {Reason}")]
    private partial void LogFailedAgain(string method, string path, string fault, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The request {Method} {Path} had no outcome in time: {Reason}")]
    private partial void LogTimedOut(string method, string path, string reason);
}
