namespace KafkaEventSourcing.Testing.Tests.Simulation;

/// <summary>
/// Event streams that keep the snapshots which owners restore from, and their topic: transactions that commit, abort, or are left open;
/// processes that crash, lag, and go on after another has taken over. One step at a time, by draws of its own: where restores are right,
/// clients cannot tell from what an owner was restored.
/// </summary>
internal sealed class SimulatedStreams(SimulatedBroker broker, Mutation mutation, Random random)
{
    private const int MarkEvery = 6;

    private readonly List<Entry> _topic = [];
    private readonly List<Process> _processes = [];
    private Process? _member; // of the group: the others were deposed and do not know it
    private long _committed;
    private int _lagsFor;

    private enum Status
    {
        Open,
        Committed,
        Aborted,
    }

    /// <summary>How many stores were made of snapshots.</summary>
    public int Restores { get; private set; }

    public void Step()
    {
        if (_member is null)
            TakeOver();
        if (_lagsFor > 0)
        {
            _lagsFor--;
            return;
        }

        Process process = _processes[random.Next(_processes.Count)];
        if (process.IsPaused && (process.IsPaused = random.Next(40) != 0))
            return;
        switch (random.Next(400))
        {
            case 0: // killed: what it has open stays so for a while
                End(process);
                break;
            case 1: // paused beyond its session: another takes over, and it goes on later in the middle of whatever it did
                process.IsPaused = true;
                TakeOver();
                break;
            case 2:
                _lagsFor = random.Next(300);
                break;
            case < 12:
                Abort(process);
                break;
            case < 100:
                Commit(process);
                break;
            default:
                Fold(process);
                break;
        }
    }

    /// <summary>
    /// A store of the newest snapshots before the first that is not decided yet, with the newest mark as its checkpoint; null: events alone
    /// are to be folded, as there is no mark yet, or by chance.
    /// </summary>
    public SimulatedStore? Restore()
    {
        if (random.Next(4) == 0)
            return null;
        SimulatedStore store = Newest(_topic.TakeWhile(e => e.Status != Status.Open), out long? mark);
        if (mark is not { } last)
            return null;
        Restores++;
        store.Checkpoint = last + 1;
        return store;
    }

    // What others have left open was ended by their time-out, before its stores are restored.
    private void TakeOver()
    {
        foreach (Entry open in _topic.Where(e => e.Status == Status.Open))
            open.Status = Status.Aborted;
        _member = new Process(Newest(_topic, out _)) { Position = _committed };
        _processes.Add(_member);
    }

    private void End(Process process)
    {
        _processes.Remove(process);
        if (process == _member)
            _member = null;
    }

    private static SimulatedStore Newest(IEnumerable<Entry> topic, out long? mark)
    {
        var store = new SimulatedStore();
        mark = null;
        foreach (Entry entry in topic.Where(e => e.Status == Status.Committed))
        {
            if (entry.Id is { } id)
                store.Put(id, entry.Snapshot!);
            else
                mark = entry.Mark;
        }

        return store;
    }

    private void Fold(Process process)
    {
        if (broker.ReadCommitted(process.Position).FirstOrDefault() is not { } recorded)
            return;
        // An event that comes again, after an abort, changes nothing, and its snapshot is written again.
        if (recorded.Version > process.Store[recorded.AggregateId].Version)
            process.Store.Fold(recorded, remember: true);
        Write(process, new Entry(recorded.AggregateId, process.Store[recorded.AggregateId], 0));
        process.Position = recorded.Offset + 1;
        if (++process.SinceMark < MarkEvery)
            return;
        process.SinceMark = 0;
        Write(process, new Entry(null, null, mutation == Mutation.MarkBeforeSnapshots
            ? broker.ReadCommitted(process.Position).Select(e => e.Offset).DefaultIfEmpty(recorded.Offset).Last()
            : recorded.Offset));
    }

    private void Write(Process process, Entry entry)
    {
        if (mutation == Mutation.StreamsAtLeastOnce)
            entry.Status = Status.Committed;
        else
            process.Open.Add(entry);
        _topic.Add(entry);
    }

    private void Commit(Process process)
    {
        if (process != _member)
        {
            Finish(process, Status.Aborted); // Kafka refuses its offsets
            End(process);
            return;
        }

        Finish(process, Status.Committed);
        _committed = process.Position;
    }

    // The store of the process is not rolled back.
    private void Abort(Process process)
    {
        Finish(process, Status.Aborted);
        if (process == _member)
            process.Position = _committed;
        else
            End(process);
    }

    private static void Finish(Process process, Status status)
    {
        foreach (Entry entry in process.Open.Where(e => e.Status == Status.Open))
            entry.Status = status;
        process.Open.Clear();
    }

    private sealed class Process(SimulatedStore store)
    {
        public SimulatedStore Store => store;

        public bool IsPaused { get; set; }

        public List<Entry> Open { get; } = [];

        public long Position { get; set; }

        public int SinceMark { get; set; } = MarkEvery; // the first event has one
    }

    // A snapshot, or a mark.
    private sealed class Entry(AggregateId? id, SimulatedStore.Aggregate? snapshot, long mark)
    {
        public AggregateId? Id => id;

        public SimulatedStore.Aggregate? Snapshot => snapshot;

        public long Mark => mark;

        public Status Status { get; set; }
    }
}
