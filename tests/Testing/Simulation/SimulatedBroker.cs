namespace KafkaEventSourcing.Testing.Tests.Simulation;

/// <summary>One partition of commands and events, and the transactional id of its writer, as Kafka treats them.</summary>
internal sealed class SimulatedBroker
{
    private readonly List<Entry> _log = [];

    private enum Status
    {
        Open,
        Committed,
        Aborted,
    }

    /// <summary>The epoch of the writer that Kafka accepts.</summary>
    public int Epoch { get; private set; }

    public long CommittedInput { get; set; }

    /// <summary>The command topic.</summary>
    public List<SimulatedSending> Commands { get; } = [];

    public long EndOffset => _log.Count;

    public int InitTransactions()
    {
        Finish(Epoch, Status.Aborted);
        return ++Epoch;
    }

    /// <summary>Appends an event of an open transaction; false: the writer is fenced.</summary>
    public bool Append(int epoch, RecordedEvent recorded)
    {
        if (epoch != Epoch)
            return false;
        _log.Add(new Entry(recorded, epoch));
        return true;
    }

    /// <summary>Commits what is open, and <paramref name="input"/> with it unless it is negative; false: the writer is fenced.</summary>
    public bool Commit(int epoch, long input)
    {
        if (epoch != Epoch)
            return false;
        Finish(epoch, Status.Committed);
        if (input >= 0)
            CommittedInput = input;
        return true;
    }

    public void Abort(int epoch)
    {
        if (epoch == Epoch)
            Finish(epoch, Status.Aborted);
    }

    /// <summary>Committed events up to the first that is still open.</summary>
    public IEnumerable<RecordedEvent> ReadCommitted(long from)
    {
        for (int i = (int)from; i < _log.Count && _log[i].Status != Status.Open; i++)
        {
            if (_log[i] is { Status: Status.Committed, Event: { } recorded })
                yield return recorded;
        }
    }

    private void Finish(int epoch, Status status)
    {
        bool any = false;
        for (int i = _log.Count - 1; i >= 0 && _log[i].Status == Status.Open; i--)
        {
            any |= _log[i].Epoch == epoch;
            _log[i].Status = status;
        }

        if (any)
            _log.Add(new Entry(null, epoch) { Status = status }); // the marker takes an offset too
    }

    private sealed class Entry(RecordedEvent? recorded, int epoch)
    {
        public RecordedEvent? Event => recorded;

        public int Epoch => epoch;

        public Status Status { get; set; }
    }
}
