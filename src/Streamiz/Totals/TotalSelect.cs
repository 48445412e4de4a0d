using KafkaEventSourcing.EventLog;
using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Sends what events add on its way to their totals, with the places of the events. What those of a batch add to one total goes together,
/// each amount with its own place: what comes again may be cut into other batches.
/// </summary>
internal sealed class TotalSelect : ITransformer<string, SourceRecord, string, TotalAmount>
{
    private readonly TotalsPart? _part;
    private readonly TotalFlow? _flow;
    private readonly int _targets;
    private readonly Dictionary<string, Together> _waiting = []; // by total; of a batch
    private readonly List<string> _order = [];
    private ProcessorContext<string, TotalAmount>? _context;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public TotalSelect()
    {
    }

    /// <summary>
    /// Selects for <paramref name="part"/>, to an internal topic of <paramref name="targets"/> partitions; 0: it is not known.
    /// </summary>
    public TotalSelect(TotalsPart part, TotalFlow flow, int targets) => (_part, _flow, _targets) = (part, flow, targets);

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, TotalAmount> context)
    {
        _context = context;
        Forget();
    }

    /// <inheritdoc/>
    public Record<string, TotalAmount>? Process(Record<string, SourceRecord> record)
    {
        SourceRecord source = record.Value;
        for (int part = 0; part < source.Stored.Count; part++)
        {
            RecordedEvent recorded = source.Stored[part];
            if (!_part!.Selectors.TryGetValue((source.Source, recorded.Payload.GetType()), out Func<RecordedEvent, TotalEntry?>? select)
                || select(recorded) is not { } entry)
                continue;
            if (string.IsNullOrEmpty(entry.Key))
                throw new InvalidOperationException($"The totals '{_part.Name}' got no key for {recorded.Payload.GetType().Name} of "
                    + $"'{recorded.AggregateId}', version {recorded.Version}: give null for what adds nothing.");
            DateOnly firstDay = entry.Day is { } day ? _part.Calendar.FirstDayOf(day) : _part.Calendar.FirstDayOf(entry.Time!.Value);
            string key = TotalKey.Of(entry.Key, firstDay);
            if (_targets > 0)
                _flow!.Sent(source.Source.Name, source.Partition, source.Offset, Murmur2.Partition(KeySerDes.BytesOf(key), _targets));
            Add(key, new TotalAmount
            {
                Aggregate = source.Source.Name, Partition = source.Partition, Offset = source.Offset, Part = part, Amount = entry.Amount,
                Earlier = [],
            });
        }

        if (source.IsLast)
            Send(source);
        return null;
    }

    /// <inheritdoc/>
    public void Close()
    {
        // There is nothing to release.
    }

    private void Add(string key, TotalAmount amount)
    {
        if (!_waiting.TryGetValue(key, out Together? together))
        {
            _waiting.Add(key, together = new Together());
            _order.Add(key);
        }
        else
        {
            TotalAmount before = together.Last!;
            together.Earlier.Add(new EarlierAmount { Offset = before.Offset, Part = before.Part, Amount = before.Amount });
        }

        together.Last = amount;
    }

    // Without the headers of the events, which nobody reads there.
    private void Send(SourceRecord source)
    {
        if (_order.Count == 0)
            return;
        _context!.SetHeaders([]);
        foreach (string key in _order)
        {
            Together together = _waiting[key];
            _context.Forward(key, together.Earlier.Count == 0 ? together.Last! : together.Last! with { Earlier = together.Earlier });
        }

        _context.SetHeaders(source.Headers);
        Forget();
    }

    private void Forget()
    {
        _waiting.Clear();
        _order.Clear();
    }

    private sealed class Together
    {
        public TotalAmount? Last { get; set; }

        public List<EarlierAmount> Earlier { get; } = [];
    }
}
