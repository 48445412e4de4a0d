using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>Where reading a topic begins, in each of its partitions.</summary>
internal abstract record TailStart
{
    private const string BeginningName = "beginning";
    private const string EndName = "end";
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Reads <c>beginning</c>, <c>end</c>, an offset, a time as in RFC 3339, or a day.</summary>
    public static bool TryParse(string text, out TailStart start)
    {
        start = text switch
        {
            BeginningName => new Offset(0),
            EndName => new Last(0),
            _ when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long offset) => new Offset(offset),
            _ when DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly day) =>
                new Time(new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero)),
            _ when CloudEventHeaders.TryDecodeTime(Encoding.UTF8.GetBytes(text), out DateTimeOffset time) => new Time(time),
            _ => new Last(-1),
        };
        return start is not Last { Count: < 0 };
    }

    /// <summary>The first offset to read and the end, of each partition.</summary>
    /// <exception cref="CommandFailedException">No broker answers.</exception>
    public IReadOnlyList<(TopicPartitionOffset Start, long End)> In(
        IReadOnlyList<TopicPartition> partitions, IConsumer<byte[]?, byte[]?> consumer, CancellationToken cancellationToken)
    {
        try
        {
            IReadOnlyDictionary<TopicPartition, long> times = this is Time time
                ? PartitionOffsets.At(consumer, [.. partitions.Select(p => new TopicPartitionTimestamp(p, new Timestamp(time.Moment)))],
                    RequestTimeout, cancellationToken)
                : new Dictionary<TopicPartition, long>();
            return
            [
                .. partitions.Select(p =>
                {
                    WatermarkOffsets bounds = PartitionOffsets.Query(consumer, p, RequestTimeout, cancellationToken);
                    long start = this switch
                    {
                        Offset offset => Math.Min(offset.Number, bounds.High.Value),
                        Last last => bounds.High.Value - last.Count,
                        // Negative: no record is as young as that.
                        _ => times[p] < 0 ? bounds.High.Value : times[p],
                    };
                    return (new TopicPartitionOffset(p, Math.Max(bounds.Low.Value, start)), bounds.High.Value);
                }),
            ];
        }
        catch (KafkaException failed)
        {
            throw new CommandFailedException(failed.Error.Reason, failed);
        }
    }

    /// <summary>At this offset, or the nearest that there is.</summary>
    public sealed record Offset(long Number) : TailStart;

    /// <summary>So many offsets before the end.</summary>
    public sealed record Last(long Count) : TailStart;

    /// <summary>At the first record that is not older.</summary>
    public sealed record Time(DateTimeOffset Moment) : TailStart;
}
