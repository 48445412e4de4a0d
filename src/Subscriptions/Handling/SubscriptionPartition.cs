using System.Collections.Concurrent;
using System.Threading.Channels;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// One partition while this node has it: how far it has come, which aggregates are parked, and what operators ask. Thread-safe.
/// </summary>
internal sealed class SubscriptionPartition : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<AggregateId, Entry> _parked = [];
    private readonly HashSet<AggregateId> _doubtful = [];
    private readonly HashSet<long> _skipped;
    private readonly Channel<SubscriptionRequest> _requests = Channel.CreateUnbounded<SubscriptionRequest>();
    private readonly HashSet<string> _asked = [];
    private readonly CancellationTokenSource _closing = new();
    private LedgerMark _position;

    public SubscriptionPartition(int number, LedgerMark position, LedgerState state)
    {
        (Number, _position, Written) = (number, position, position);
        _skipped = [.. state.Skipped.Select(s => s.Event.Offset)];
        foreach (ParkedAggregate parked in state.Parked)
            _parked.Add(AggregateId.Parse(parked.AggregateId), new Entry(parked));
        foreach (SubscriptionRequest request in state.Requests)
            Ask(request);
    }

    public int Number { get; }

    /// <summary>Is cancelled when the partition goes.</summary>
    public CancellationToken Closing => _closing.Token;

    /// <summary>What is asked and was not done yet.</summary>
    public ChannelReader<SubscriptionRequest> Requests => _requests.Reader;

    /// <summary>Ends when nothing is done for the partition any more.</summary>
    public Task Work { get; set; } = Task.CompletedTask;

    /// <summary>Events behind the position that were handled or are kept, at most of one batch.</summary>
    public ConcurrentDictionary<(long Offset, int Part), bool> Taken { get; } = [];

    /// <summary>The position that is in the log.</summary>
    public LedgerMark Written { get; set; }

    public LedgerMark Position
    {
        get
        {
            lock (_lock)
                return _position;
        }
    }

    public int ParkedCount
    {
        get
        {
            lock (_lock)
                return _parked.Count;
        }
    }

    public IReadOnlyList<ParkedAggregate> Parked
    {
        get
        {
            lock (_lock)
                return [.. _parked.Values.Select(p => p.Aggregate)];
        }
    }

    public void Advance(long next)
    {
        lock (_lock)
            _position = _position with { Next = Math.Max(next, _position.Next) };
    }

    public ParkedAggregate? Find(AggregateId aggregate)
    {
        lock (_lock)
            return _parked.GetValueOrDefault(aggregate)?.Aggregate;
    }

    /// <summary>
    /// Whether <paramref name="recorded"/> waits behind another of its aggregate. It is kept then: whoever unparks the aggregate handles it
    /// first.
    /// </summary>
    public bool Keeps(RecordedEvent recorded)
    {
        lock (_lock)
        {
            if (!_parked.TryGetValue(recorded.AggregateId, out Entry? entry) || recorded.Offset < entry.Aggregate.Offset)
                return false;
            entry.LastKept = Math.Max(entry.LastKept, recorded.Offset);
            return true;
        }
    }

    /// <summary>
    /// Whether somebody has had the event at <paramref name="offset"/> passed over. It comes again where the position is before it: after a
    /// crash, or when somebody has set it back.
    /// </summary>
    public bool IsSkipped(long offset)
    {
        lock (_lock)
            return _skipped.Contains(offset);
    }

    public void Skip(long offset)
    {
        lock (_lock)
            _skipped.Add(offset);
    }

    /// <summary>Parks, or parks at another event, which is kept; false: there is no room for one more.</summary>
    public bool TryPark(AggregateId aggregate, ParkedAggregate parked, int limit)
    {
        lock (_lock)
        {
            if (!_parked.TryGetValue(aggregate, out Entry? entry))
            {
                if (_parked.Count >= limit)
                    return false;
                _parked.Add(aggregate, entry = new Entry(parked));
            }

            entry.Aggregate = parked;
            entry.LastKept = Math.Max(entry.LastKept, parked.Offset);
            return true;
        }
    }

    /// <summary>
    /// Takes a <see cref="TryPark"/> back whose letter may be in the log or not; <paramref name="before"/> is what was parked before it.
    /// </summary>
    public void Doubt(AggregateId aggregate, ParkedAggregate? before)
    {
        lock (_lock)
        {
            _doubtful.Add(aggregate);
            if (before is null)
                _parked.Remove(aggregate);
            else
                _parked[aggregate].Aggregate = before;
        }
    }

    public bool IsDoubtful(AggregateId aggregate)
    {
        lock (_lock)
            return _doubtful.Contains(aggregate) && !_parked.ContainsKey(aggregate);
    }

    public void Trust(AggregateId aggregate)
    {
        lock (_lock)
            _doubtful.Remove(aggregate);
    }

    /// <summary>Up to where, exclusively, events of <paramref name="aggregate"/> may be kept.</summary>
    public long KeptUpTo(AggregateId aggregate)
    {
        lock (_lock)
            return Math.Max(_position.Next, (_parked.GetValueOrDefault(aggregate)?.LastKept ?? -1) + 1);
    }

    /// <summary>
    /// Unparks <paramref name="aggregate"/>, whose events before <paramref name="next"/> are handled; false: more of them have been kept
    /// meanwhile.
    /// </summary>
    public bool TryUnpark(AggregateId aggregate, long next)
    {
        lock (_lock)
        {
            if (_parked.TryGetValue(aggregate, out Entry? entry) && entry.LastKept >= next)
                return false;
            _parked.Remove(aggregate);
            return true;
        }
    }

    public void Ask(SubscriptionRequest request)
    {
        lock (_lock)
        {
            if (_asked.Add(request.Id))
                _requests.Writer.TryWrite(request);
        }
    }

    public void Close()
    {
        _closing.Cancel();
        _requests.Writer.TryComplete();
    }

    public void Dispose() => _closing.Dispose();

    private sealed class Entry(ParkedAggregate aggregate)
    {
        public ParkedAggregate Aggregate { get; set; } = aggregate;

        public long LastKept { get; set; } = -1;
    }
}
