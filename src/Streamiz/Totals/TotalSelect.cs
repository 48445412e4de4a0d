using KafkaEventSourcing.EventLog;
using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Sends what an event adds on its way to its totals, with the place of the event.</summary>
internal sealed class TotalSelect : ITransformer<string, SourceRecord, string, TotalAmount>
{
    private readonly TotalsPart? _part;
    private readonly TotalFlow? _flow;
    private readonly int _targets;
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
    public void Init(ProcessorContext<string, TotalAmount> context) => _context = context;

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
            _context!.Forward(key, new TotalAmount
            {
                Aggregate = source.Source.Name, Partition = source.Partition, Offset = source.Offset, Part = part, Amount = entry.Amount,
            });
        }

        return null;
    }

    /// <inheritdoc/>
    public void Close()
    {
        // There is nothing to release.
    }
}
