using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

internal static partial class HostingLog
{
    [LoggerMessage(Level = LogLevel.Critical, Message = "A part of the node has stopped; the node ends")]
    public static partial void Stopped(this ILogger logger, Exception? fault);

    [LoggerMessage(Level = LogLevel.Error, Message = "The request {Method} {Path} failed")]
    public static partial void RequestFailed(this ILogger logger, Exception fault, string method, string? path);
}
