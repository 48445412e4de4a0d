using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

internal static partial class HostingLog
{
    [LoggerMessage(Level = LogLevel.Critical, Message = "A part of the node has stopped; the node ends")]
    public static partial void Stopped(this ILogger logger, Exception? fault);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The node could not start; the host ends")]
    public static partial void NotStarted(this ILogger logger, Exception fault);

    [LoggerMessage(Level = LogLevel.Information, Message = "The node was asked to end while it started, and the start failed")]
    public static partial void GaveUpStart(this ILogger logger, Exception fault);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "{Application} serves, on Kafka {Kafka}, Schema Registry {SchemaRegistry}, MongoDB {MongoDB}")]
    public static partial void Serves(this ILogger logger, string application, string kafka, string schemaRegistry, string mongoDB);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "Asked to end: not ready any more, and serving whoever comes for another {Seconds} s")]
    public static partial void Drains(this ILogger logger, double seconds);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The partitions could not be handed over within {Seconds} s; the node ends as if it had been killed, and nothing is "
            + "lost")]
    public static partial void NotHandedOver(this ILogger logger, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Somebody has waited for the node for {Seconds} s, and the host has not come as far "
        + "as to start it: it starts when the other services of the host have. A hosted service that waits in its own StartAsync waits for "
        + "ever: wait in a BackgroundService, or set WaitForStart and register the service behind the application")]
    public static partial void NotBegun(this ILogger logger, double seconds);
}
