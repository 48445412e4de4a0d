using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Testing;

/// <summary>
/// The log of nodes and servers of tests: a file that lines are appended to, one an entry; for a test that fails one time in many.
/// Thread-safe.
/// </summary>
internal sealed class TestLog : ILoggerFactory
{
    private readonly Lock _lock = new();
    private readonly StreamWriter _file;

    private TestLog(string path) =>
        _file = new StreamWriter(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };

    /// <summary>What the environment asks for: the file that <c>KES_TEST_LOG</c> names, or nothing.</summary>
    public static ILoggerFactory OfEnvironment { get; } =
        Environment.GetEnvironmentVariable("KES_TEST_LOG") is { Length: > 0 } path ? new TestLog(path) : NullLoggerFactory.Instance;

    public ILogger CreateLogger(string categoryName) => new Category(this, categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("Lines go to one file.");

    public void Dispose() => _file.Dispose();

    private void Write(string line)
    {
        lock (_lock)
            _file.WriteLine(line);
    }

    private sealed class Category(TestLog log, string name) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                string failure = exception is null ? "" : " " + exception;
                log.Write(string.Create(CultureInfo.InvariantCulture,
                    $"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {logLevel} {name}: {formatter(state, exception)}{failure}"));
            }
        }
    }
}
