using System.Text;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing;

/// <summary>One aggregate as its partition task knows it. Owned by the task's thread.</summary>
internal sealed class AggregateEntry
{
    private readonly Dictionary<string, (CommandReply Outcome, long Sequence)> _recent = [];
    private readonly Queue<string> _order = [];
    private long _nextSequence;

    public AggregateEntry(AggregateId id, object initialState)
    {
        Id = id;
        Key = Encoding.UTF8.GetBytes(id.Value);
        State = initialState;
    }

    public AggregateId Id { get; }

    public byte[] Key { get; }

    public long Version { get; set; }

    /// <summary>Offset of the last event; -1 without events.</summary>
    public long EventOffset { get; set; } = -1;

    public object State { get; set; }

    /// <summary>Remembered outcomes, oldest first.</summary>
    public IEnumerable<CommandReply> Recent => _order.Select(id => _recent[id].Outcome);

    public bool TryGetOutcome(string commandId, out CommandReply? outcome)
    {
        bool known = _recent.TryGetValue(commandId, out (CommandReply Outcome, long Sequence) remembered);
        outcome = remembered.Outcome;
        return known;
    }

    /// <summary>
    /// Remembers an outcome, in the place of an earlier one of the same command, and at most <paramref name="limit"/>. Returns its number and that of the one that is
    /// forgotten for it (-1: none).
    /// </summary>
    public (long Sequence, long Forgotten) Remember(CommandReply outcome, int limit)
    {
        if (_recent.TryGetValue(outcome.CommandId, out (CommandReply, long Sequence) known))
        {
            _recent[outcome.CommandId] = (outcome, known.Sequence);
            return (known.Sequence, -1);
        }

        long sequence = _nextSequence++;
        _recent.Add(outcome.CommandId, (outcome, sequence));
        _order.Enqueue(outcome.CommandId);
        if (_order.Count <= limit)
            return (sequence, -1);
        _recent.Remove(_order.Dequeue(), out (CommandReply, long Sequence) forgotten);
        return (sequence, forgotten.Sequence);
    }

    /// <summary>Takes an outcome back from the store, under the number that it has there.</summary>
    public void Recall(CommandReply outcome, long sequence)
    {
        _nextSequence = sequence + 1;
        _recent.Add(outcome.CommandId, (outcome, sequence));
        _order.Enqueue(outcome.CommandId);
    }
}
