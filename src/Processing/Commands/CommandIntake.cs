using System.Diagnostics;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Commands on their way into the queue of one partition task: records of the command topic, which is paused while too much waits, and
/// those of callers, who are told how they came out, or that nobody knows. Thread-safe, where nothing else is said.
/// </summary>
internal sealed class CommandIntake(PartitionContext context, CommandQueue queue, CommandPlace place)
{
    private readonly TopicPartition _commands = new(context.Topics.Commands, place.Partition);
    private readonly Lock _pauseLock = new();
    private bool _paused;

    /// <summary>Adds a command; called by the consumer's thread.</summary>
    public void Add(ConsumeResult<byte[], byte[]> record)
    {
        if (!place.Take(record.Offset.Value) || queue.Add(record) <= context.MaxWaitingBytes())
            return;
        lock (_pauseLock)
        {
            // Asked again: the task may have taken all of it meanwhile and found nothing paused. Nobody would resume a consumer that is
            // paused before an empty queue.
            if (_paused || queue.Bytes <= context.MaxWaitingBytes())
                return;
            context.Consumer.Pause([_commands]);
            _paused = true;
        }
    }

    /// <summary>Adds a command of a caller with <paramref name="bytes"/> of payload; false: the queue is closed.</summary>
    /// <exception cref="OverloadedException">Too much waits already.</exception>
    public bool TryAdd(IncomingCommand command, int bytes) =>
        queue.TryAdd(command, bytes, context.MaxWaitingBytes()) is { } added
        && (added ? true : throw new OverloadedException(
            $"{context.MaxWaitingBytes():N0} bytes of commands wait for partition {place.Partition} already; try again in a while."));

    /// <summary>The task has taken what it could, and <paramref name="left"/> bytes wait still.</summary>
    public void ResumeIfRoom(long left)
    {
        lock (_pauseLock)
        {
            if (_paused && left <= context.MaxWaitingBytes() / 2)
                Resume();
        }
    }

    /// <summary>
    /// From now on the consumer reads from <paramref name="offset"/> on; called by its thread. What waits already is kept when it is before
    /// that.
    /// </summary>
    public void Restart(long offset, bool keepsWaiting)
    {
        if (!keepsWaiting)
            queue.DropRecords();
        lock (_pauseLock)
        {
            if (_paused)
                Resume();
        }

        place.Restarted(offset);
    }

    /// <summary>Tells the callers that have waited for longer than <paramref name="limit"/> that they get no answer.</summary>
    public void EndLateCallers(TimeSpan limit)
    {
        foreach (IncomingCommand late in queue.WaitingSince(Stopwatch.GetTimestamp() - (long)(limit.TotalSeconds * Stopwatch.Frequency)))
        {
            late.Caller!.TrySetException(UnknownOutcome.After(late.CommandId.Value, limit));
            late.Caller.Completed();
        }
    }

    /// <summary>
    /// Nothing more is decided here, whether or not a command of the batch in flight took effect: whoever sends it again, at any door,
    /// learns it.
    /// </summary>
    public void GiveUp(List<QueuedCommand> batch)
    {
        foreach (IncomingCommand command in batch.Select(q => q.Direct).OfType<IncomingCommand>().Concat(queue.Drain()))
        {
            command.Caller?.GiveUp(new AggregateUnavailableException(
                place.Partition,
                $"Partition {place.Partition} has left this node while the command {command.CommandId} waited. {UnknownOutcome.Advice}"));
        }
    }

    private void Resume()
    {
        context.Consumer.Resume([_commands]);
        _paused = false;
    }
}
