using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Crash;

/// <summary>
/// A broker as the whole of a process. It says that it is ready, and what it logs from warnings on; it stops in order when its input ends,
/// as it does when the test that started it is gone.
/// </summary>
internal static class BrokerProgram
{
    public const string Verb = "broker";
    public const string Ready = "READY";

    // Compaction, checkpoints and flushes are to be met by the kill too.
    private static readonly TimeSpan CleanInterval = TimeSpan.FromMilliseconds(100);

    public static async Task<int> Run(string folder, int port)
    {
        using var log = new ConsoleLog();
        EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(
            new EmbeddedKafkaOptions { DataDirectory = folder, Port = port, CleanInterval = CleanInterval }, log);
        await using (kafka)
        {
            await Console.Out.WriteLineAsync(Ready);
            await Console.In.ReadToEndAsync();
        }

        return 0;
    }

    private sealed class ConsoleLog : ILoggerFactory, ILogger
    {
        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                Console.Out.WriteLine($"{logLevel}: {formatter(state, exception)} {exception}".ReplaceLineEndings(" "));
        }

        public void Dispose()
        {
        }
    }
}
