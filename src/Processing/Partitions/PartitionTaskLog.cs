using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>What a partition task logs.</summary>
internal static partial class PartitionTaskLog
{
    [LoggerMessage(Level = LogLevel.Information,
        Message = "Partition {Partition} of {Aggregate} is restored: {Events} events in {Milliseconds:N0} ms")]
    public static partial void LogRestored(ILogger logger, string aggregate, int partition, long events, double milliseconds);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "Partition {Partition} could not be handed over: another node has it already, or Kafka cannot be reached")]
    public static partial void LogNotReleased(ILogger logger, Exception failure, int partition);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "Partition {Partition} of {Aggregate} is halted: {Reason} Nothing of it is decided or appended until an operator has "
            + "acted")]
    public static partial void LogHalted(ILogger logger, int partition, string aggregate, string reason);
}
