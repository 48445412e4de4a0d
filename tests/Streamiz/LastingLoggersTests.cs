using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Streamiz.Kafka.Net;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class LastingLoggersTests
{
    // The loggers of the first host were asked for another one, and the start of the second host ended with ObjectDisposedException.
    [Fact]
    public void Settings_are_made_when_the_host_before_has_ended()
    {
        var ended = LoggerFactory.Create(_ => { });
        using (EventStreamsTestDriver.Start(BankStreams.Snapshots()))
        {
            // Streamiz has loggers now
        }

        var loggers = new LastingLoggers(ended);
        loggers.CreateLogger("before").ShouldNotBeSameAs(NullLogger.Instance);
        ended.Dispose();
        loggers.CreateLogger("after").ShouldBeSameAs(NullLogger.Instance);
        Should.NotThrow(() => new StreamConfig(null, loggers));
    }
}
