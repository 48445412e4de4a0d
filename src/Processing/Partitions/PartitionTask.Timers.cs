using System.Globalization;

namespace KafkaEventSourcing.Processing;

// The timers of a process come due on the task's own thread, as commands among the others.
internal sealed partial class PartitionTask
{
    private ReactionOutbox OpenOutbox()
    {
        if (_context.Definition.Reacts)
        {
            _timers = new ProcessTimers(_context.Time, _queue.Wake);
            _timers.Load(_context.Connection, new Confluent.Kafka.TopicPartition(_context.Topics.Timers, _partition), _context.Serde, _stop.Token);
            _timers.Arm();
        }

        return new ReactionOutbox(_context.Definition, _context.Topics, _partition, _context.Serde, _context.Encoders, _timers, _context.Time, _context.Options.MaxCommandBytes);
    }

    private void AddDueTimers()
    {
        foreach ((TimerKey key, DateTimeOffset due) in _timers!.TakeDue(_context.Options.MaxBatchCommands))
        {
            var id = CommandId.Parse(string.Create(CultureInfo.InvariantCulture, $"timer-{key.Name}-{due.UtcTicks / TimeSpan.TicksPerMicrosecond}"));
            _deciding.Add(IncomingCommand.Of(key, id, new TimerElapsed(key.Name, due)));
        }

        _timers.Arm();
    }
}
