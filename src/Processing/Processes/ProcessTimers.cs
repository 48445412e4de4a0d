using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Names a timer of a process.</summary>
internal readonly record struct TimerKey(AggregateId Id, string Name)
{
    /// <summary>The key of its records: <c>name/id</c>.</summary>
    public byte[] ToBytes() => Encoding.UTF8.GetBytes($"{Name}/{Id}");

    public static TimerKey? Read(byte[]? key)
    {
        if (!RecordIds.TryDecode(key, out string? text))
            return null;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && AggregateId.TryParse(text[(slash + 1)..], out AggregateId id, out _) ? new TimerKey(id, text[..slash]) : null;
    }
}

/// <summary>
/// The timers of one partition that are set: the fold of its compacted timers topic, read at each restore. When the next one comes due the
/// partition task is told; it decides the timer as a command, and the record that ends the timer is in the same transaction. Owned by the
/// task's thread.
/// </summary>
internal sealed class ProcessTimers : IDisposable
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(12); // a timer of .NET cannot wait for months; it is armed again then

    private readonly Dictionary<TimerKey, DateTimeOffset> _set = [];
    private readonly PriorityQueue<TimerKey, DateTimeOffset> _next = new();
    private readonly TimeProvider _time;
    private readonly ITimer _alarm;

    public ProcessTimers(TimeProvider time, Action due)
    {
        _time = time;
        _alarm = time.CreateTimer(_ => due(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The timers of <paramref name="partition"/> as they are set; <paramref name="due"/> is told when one comes due.</summary>
    public static ProcessTimers Open(PartitionContext context, int partition, Action due, CancellationToken cancellationToken)
    {
        var timers = new ProcessTimers(context.Time, due);
        try
        {
            timers.Load(context.Connection, new TopicPartition(context.Topics.Timers, partition), context.Serde, cancellationToken);
        }
        catch
        {
            timers.Dispose();
            throw;
        }

        timers.Arm();
        return timers;
    }

    /// <summary>How many are set.</summary>
    public int Count => _set.Count;

    /// <summary>Folds the timers topic.</summary>
    /// <exception cref="InvalidDataException">A record there is no timer.</exception>
    public void Load(KafkaConnection connection, TopicPartition timers, AvroMessageSerde serde, CancellationToken cancellationToken)
    {
        foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.Read(connection, "timers", timers, 0, cancellationToken))
        {
            if (TimerKey.Read(record.Message.Key) is not { } key)
                throw new InvalidDataException($"The record {record.Topic} {record.Partition.Value}@{record.Offset.Value} is not a timer. "
                    + $"Somebody else has written there.");
            Set(key, record.Message.Value is { } value ? ((Avro.Messages.TimerElapsed)serde.Decode(value)).Due : null);
        }
    }

    /// <summary>Sets a timer, or ends it.</summary>
    public void Set(TimerKey key, DateTimeOffset? due)
    {
        if (due is not { } time)
        {
            _set.Remove(key);
            return;
        }

        _set[key] = time;
        _next.Enqueue(key, time); // what stands there from before is passed over when its turn comes
    }

    /// <summary>When the timer is due; null: it is not set.</summary>
    public DateTimeOffset? DueOf(TimerKey key) => _set.TryGetValue(key, out DateTimeOffset due) ? due : null;

    /// <summary>
    /// The timers that have come due, earliest first, at most <paramref name="max"/>. They stay set until their end is committed.
    /// </summary>
    public List<(TimerKey Key, DateTimeOffset Due)> TakeDue(int max)
    {
        DateTimeOffset now = _time.GetUtcNow();
        var due = new List<(TimerKey, DateTimeOffset)>();
        while (due.Count < max && _next.TryPeek(out TimerKey key, out DateTimeOffset time) && time <= now)
        {
            _next.Dequeue();
            if (DueOf(key) == time)
                due.Add((key, time));
        }

        return due;
    }

    /// <summary>Adds those that have come due, as commands among the others.</summary>
    public void AddDueTo(List<IncomingCommand> commands, int max)
    {
        foreach ((TimerKey key, DateTimeOffset due) in TakeDue(max))
        {
            var id = CommandId.Parse(string.Create(CultureInfo.InvariantCulture,
                $"timer-{key.Name}-{due.UtcTicks / TimeSpan.TicksPerMicrosecond}"));
            commands.Add(IncomingCommand.From(key, id, new TimerElapsed(key.Name, due)));
        }

        Arm();
    }

    /// <summary>Has the task told when the next timer comes due.</summary>
    public void Arm()
    {
        while (_next.TryPeek(out TimerKey key, out DateTimeOffset time))
        {
            if (DueOf(key) != time)
            {
                _next.Dequeue();
                continue;
            }

            TimeSpan wait = time - _time.GetUtcNow();
            _alarm.Change(wait < TimeSpan.Zero ? TimeSpan.Zero : wait > LongestWait ? LongestWait : wait + TimeSpan.FromMilliseconds(1),
                Timeout.InfiniteTimeSpan);
            return;
        }
    }

    public void Dispose() => _alarm.Dispose();
}
