using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>What one partition of a subscription's topic says. Not thread-safe.</summary>
internal sealed class LedgerState
{
    private readonly Dictionary<string, ParkedAggregate> _parked = [];
    private readonly SortedDictionary<long, SkippedEvent> _skipped = [];
    private readonly Dictionary<string, SubscriptionRequest> _requests = [];

    /// <summary>Where the subscription began; null: it is new.</summary>
    public LedgerMark? Begin { get; private set; }

    /// <summary>How far it has come; null: nothing was handled yet.</summary>
    public LedgerMark? Position { get; private set; }

    /// <summary>The offset behind the last record.</summary>
    public long End { get; private set; }

    public IReadOnlyCollection<ParkedAggregate> Parked => _parked.Values;

    /// <summary>In the order of their events.</summary>
    public IReadOnlyCollection<SkippedEvent> Skipped => _skipped.Values;

    /// <summary>The requests that nobody has acted on.</summary>
    public IReadOnlyCollection<SubscriptionRequest> Requests => _requests.Values;

    /// <summary>Folds <paramref name="record"/>.</summary>
    /// <exception cref="InvalidDataException">It is not a record that this library wrote; it changes nothing.</exception>
    public void Apply(ConsumeResult<byte[], byte[]> record)
    {
        End = record.Offset.Value + 1;
        string key = LedgerFormat.KeyOf(record);
        byte[]? value = record.Message.Value;
        if (key == LedgerFormat.Position)
            Position = MarkOf(record);
        else if (key.StartsWith(LedgerFormat.Begin, StringComparison.Ordinal))
            Begin ??= MarkOf(record);
        else if (key.StartsWith(LedgerFormat.Parked, StringComparison.Ordinal))
            Set(_parked, key, value is null ? null : LedgerFormat.Read(record, value, LedgerJson.Default.ParkedAggregate));
        else if (key.StartsWith(LedgerFormat.Request, StringComparison.Ordinal))
            Set(_requests, key, LedgerFormat.RequestOf(record));
        else if (key.StartsWith(LedgerFormat.Skipped, StringComparison.Ordinal) && value is not null)
            Take(LedgerFormat.Read(record, value, LedgerJson.Default.SkippedEvent));
        else
            throw LedgerFormat.Foreign(record, "its key says nothing");
    }

    private static LedgerMark MarkOf(ConsumeResult<byte[], byte[]> record) =>
        LedgerMark.TryParse(record.Message.Value, out LedgerMark? mark)
            ? mark
            : throw LedgerFormat.Foreign(record, "it should say a place in the events topic");

    private static void Set<T>(Dictionary<string, T> all, string key, T? value)
        where T : class
    {
        if (value is null)
            all.Remove(key);
        else
            all[key] = value;
    }

    private void Take(SkippedEvent skipped) => _skipped[skipped.Event.Offset] = skipped;
}

/// <summary>
/// Reads a subscription's topic, partition by partition, up to its end at the time of the call. The calls block. Not thread-safe.
/// </summary>
internal sealed class LedgerReader : IDisposable
{
    private readonly PartitionLogReader _reader;
    private readonly string _topic;
    private readonly Action<string> _foreign;

    /// <summary>
    /// A reader of <paramref name="topic"/>; records that are not ours are passed over, and told to <paramref name="foreign"/>.
    /// </summary>
    public LedgerReader(KafkaConnection connection, string topic, Action<string> foreign)
    {
        (_topic, _foreign) = (topic, foreign);
        _reader = PartitionLogReader.ToEnd(connection, "subscription-ledger");
    }

    /// <summary>What <paramref name="partition"/> says.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public LedgerState Read(int partition, CancellationToken cancellationToken)
    {
        var state = new LedgerState();
        foreach (ConsumeResult<byte[], byte[]> record in _reader.Read(new TopicPartition(_topic, partition), 0, cancellationToken))
        {
            try
            {
                state.Apply(record);
            }
            catch (InvalidDataException wrong)
            {
                _foreign(wrong.Message);
            }
        }

        return state;
    }

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();
}
