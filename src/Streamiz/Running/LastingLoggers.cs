using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// A host's loggers as Streamiz gets them. It keeps the last ones in a static field and asks them whenever settings are made, also when
/// their host has ended and they are disposed: another host of the process could not start its streams. Thread-safe.
/// </summary>
internal sealed class LastingLoggers(ILoggerFactory host) : ILoggerFactory
{
    /// <summary>A logger of the host; one that writes nothing when the host has ended.</summary>
    public ILogger CreateLogger(string categoryName)
    {
        try
        {
            return host.CreateLogger(categoryName);
        }
        catch (ObjectDisposedException)
        {
            return NullLogger.Instance;
        }
    }

    /// <inheritdoc/>
    public void AddProvider(ILoggerProvider provider) => host.AddProvider(provider);

    /// <inheritdoc/>
    public void Dispose()
    {
        // They are the host's.
    }
}
