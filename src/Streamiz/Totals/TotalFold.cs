using Streamiz.Kafka.Net.Processors.Public;
using Streamiz.Kafka.Net.State;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Adds amounts up. A total knows of each source partition the last event that is in it: what comes again adds nothing, and the total is
/// written again, as its changelog may be behind the store after an aborted transaction. An amount of any age adds to its own window.
/// </summary>
internal sealed class TotalFold : ITransformer<string, TotalAmount, string, RunningTotal>
{
    private readonly TotalsPart? _part;
    private readonly StreamEnvironment? _environment;
    private IKeyValueStore<byte[], RunningTotal?>? _store;
    private int _partition;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public TotalFold()
    {
    }

    /// <summary>Adds up <paramref name="part"/>.</summary>
    public TotalFold(TotalsPart part, StreamEnvironment environment) => (_part, _environment) = (part, environment);

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, RunningTotal> context)
    {
        _partition = context.Id.Partition;
        _store = (IKeyValueStore<byte[], RunningTotal?>)context.GetStateStore(_part!.Store);
        _environment!.Assignment.Opened(_part.Store, _partition, _store);
    }

    /// <inheritdoc/>
    public Record<string, RunningTotal> Process(Record<string, TotalAmount> record)
    {
        TotalAmount amount = record.Value;
        byte[] key = KeySerDes.BytesOf(record.Key);
        RunningTotal? before = _store!.Get(key);
        RunningTotal after = before is not null && IsIn(before, amount) ? before : Add(before, record.Key, amount);
        if (ReferenceEquals(before, after))
            _environment!.Telemetry.SkippedRepeat(_part!.Store);
        _store.Put(key, after);
        _environment!.Flows[_part!.Name].Folded(amount.Aggregate, amount.Partition, amount.Offset, _partition,
            record.TopicPartitionOffset.Offset.Value + 1);
        return Record<string, RunningTotal>.Create(record.Key, after, record.Headers);
    }

    /// <inheritdoc/>
    public void Close()
    {
        if (_store is not null) // Streamiz closes also what it has not begun, and what it has closed
            _environment!.Assignment.Closing(_part!.Store, _partition);
    }

    private static bool IsIn(RunningTotal total, TotalAmount amount) =>
        total.Sources.FirstOrDefault(s => IsOf(s, amount)) is { } source
            && (amount.Offset, amount.Part).CompareTo((source.Offset, source.Part)) <= 0;

    private static bool IsOf(TotalSource source, TotalAmount amount) =>
        source.Partition == amount.Partition && source.Aggregate == amount.Aggregate;

    private RunningTotal Add(RunningTotal? before, string key, TotalAmount amount)
    {
        RunningTotal total = before ?? Nothing(key);
        try
        {
            return total with
            {
                Count = total.Count + 1,
                Sum = checked(total.Sum + amount.Amount),
                Sources = [.. total.Sources.Where(s => !IsOf(s, amount)), new TotalSource
                {
                    Aggregate = amount.Aggregate, Partition = amount.Partition, Offset = amount.Offset, Part = amount.Part,
                }],
            };
        }
        catch (OverflowException tooLarge)
        {
            throw new StreamStateException($"The total '{total.Key}' of '{_part!.Name}' is {total.Sum}; {amount.Amount} of "
                + $"{amount.Aggregate} {amount.Partition}@{amount.Offset} does not fit: it would have more than 64 bits.", tooLarge);
        }
    }

    private RunningTotal Nothing(string text)
    {
        (string key, DateOnly firstDay) = TotalKey.Parse(text);
        return new RunningTotal
        {
            Key = key,
            FirstDay = firstDay,
            Begin = _part!.Calendar.BeginOf(firstDay),
            End = _part.Calendar.BeginOf(_part.Calendar.Next(firstDay)),
            TimeZone = _part.TimeZone,
            Count = 0,
            Sum = 0,
            Sources = [],
        };
    }
}
