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
        var table = (StateTable<RunningTotal>)context.GetStateStore(_part!.Store);
        _environment!.Assignment.Opened(_part.Store, _partition, table);
        _store = table;
    }

    /// <inheritdoc/>
    public Record<string, RunningTotal> Process(Record<string, TotalAmount> record)
    {
        TotalAmount amount = record.Value;
        byte[] key = KeySerDes.BytesOf(record.Key);
        RunningTotal? before = _store!.Get(key);
        RunningTotal after = AddNew(before, record.Key, amount);
        _store.Put(key, after);
        _environment!.Flows[_part!.Name].Folded(amount.Aggregate, amount.Partition, amount.Offset, _partition,
            record.TopicPartitionOffset.Offset.Value + 1);
        return Record<string, RunningTotal>.Create(record.Key, after, record.Headers);
    }

    /// <inheritdoc/>
    public void Close()
    {
        // The table is Streamiz'.
    }

    private static bool IsOf(TotalSource source, TotalAmount amount) =>
        source.Partition == amount.Partition && source.Aggregate == amount.Aggregate;

    // Those that are not in it yet.
    private RunningTotal AddNew(RunningTotal? before, string key, TotalAmount amounts)
    {
        RunningTotal total = before ?? Nothing(key);
        TotalSource? known = total.Sources.FirstOrDefault(s => IsOf(s, amounts));
        (long Offset, int Part) last = known is null ? (-1, 0) : (known.Offset, known.Part);
        (long count, long sum) = (total.Count, total.Sum);
        foreach (EarlierAmount earlier in amounts.Earlier)
            Add(earlier.Offset, earlier.Part, earlier.Amount);
        Add(amounts.Offset, amounts.Part, amounts.Amount);
        return count == total.Count ? total : total with
        {
            Count = count,
            Sum = sum,
            Sources = [.. total.Sources.Where(s => !IsOf(s, amounts)), new TotalSource
            {
                Aggregate = amounts.Aggregate, Partition = amounts.Partition, Offset = last.Offset, Part = last.Part,
            }],
        };

        void Add(long offset, int part, long amount)
        {
            if ((offset, part).CompareTo(last) <= 0)
            {
                _environment!.Telemetry.SkippedRepeat(_part!.Store);
                return;
            }

            try
            {
                sum = checked(sum + amount);
            }
            catch (OverflowException tooLarge)
            {
                throw new StreamStateException($"The total '{total.Key}' of '{_part!.Name}' is {sum}; {amount} of {amounts.Aggregate} "
                    + $"{amounts.Partition}@{offset} does not fit: it would have more than 64 bits.", tooLarge);
            }

            count++;
            last = (offset, part);
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
