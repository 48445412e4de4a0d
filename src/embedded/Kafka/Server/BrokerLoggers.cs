using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>
/// The broker's logger, with a level that an administrator may change while it runs (KIP-412): until the broker stops, and within what the
/// host's own logging lets through. Thread-safe.
/// </summary>
internal sealed class BrokerLoggers(ILogger inner) : ILogger
{
    public const string Root = "root";

    private static readonly (string Name, LogLevel Level)[] Levels =
        [("FATAL", LogLevel.Critical), ("ERROR", LogLevel.Error), ("WARN", LogLevel.Warning), ("INFO", LogLevel.Information),
            ("DEBUG", LogLevel.Debug), ("TRACE", LogLevel.Trace)];

    private readonly ConcurrentDictionary<string, string> _set = [];
    private readonly string _default = Levels.LastOrDefault(l => inner.IsEnabled(l.Level), Levels[0]).Name;

    /// <summary>The loggers that can be named; all that is logged is logged by the last.</summary>
    public static IReadOnlyList<string> Names { get; } = [Root, typeof(EmbeddedKafka).FullName!];

    /// <summary>The levels, the highest first.</summary>
    public static IEnumerable<string> LevelNames => Levels.Select(l => l.Name);

    /// <summary>What was changed.</summary>
    public IReadOnlyDictionary<string, string> Values => _set;

    /// <summary>The level of a logger.</summary>
    public string LevelOf(string name) => _set.GetValueOrDefault(name) ?? _set.GetValueOrDefault(Root) ?? _default;

    /// <summary>Puts <paramref name="values"/> in the place of all that was changed.</summary>
    public void Change(IReadOnlyDictionary<string, string> values)
    {
        foreach (string name in Names)
        {
            if (values.TryGetValue(name, out string? level))
                _set[name] = level;
            else
                _set.TryRemove(name, out _);
        }
    }

    public bool IsEnabled(LogLevel logLevel)
    {
        string present = LevelOf(Names[^1]);
        return logLevel >= Levels.First(l => l.Name == present).Level && inner.IsEnabled(logLevel);
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
            inner.Log(logLevel, eventId, state, exception, formatter);
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);
}
