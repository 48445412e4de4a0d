using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>What a node logs, to be waited for.</summary>
internal sealed class NodeLog : ILoggerFactory, ILogger
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _awaited = [];
    private readonly ConcurrentQueue<(string Event, LogLevel Level, string Line)> _lines = [];

    /// <summary>The lines so far of the log message method <paramref name="name"/>.</summary>
    public IReadOnlyList<string> Lines(string name) => [.. _lines.Where(l => l.Event == name).Select(l => l.Line)];

    /// <summary>The first line of the log message method <paramref name="name"/>, as soon as it comes.</summary>
    public Task<string> Line(string name) => _awaited.GetOrAdd(name,
        _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (eventId.Name is not { } name)
            return;
        string line = formatter(state, exception);
        _lines.Enqueue((name, logLevel, line));
        _awaited.GetOrAdd(name, _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously))
            .TrySetResult(line);
    }

    public void Dispose()
    {
    }
}
