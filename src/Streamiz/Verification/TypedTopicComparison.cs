using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Compares one partition of a topic of an event type with the events of that type, in order; what is there again is counted. For one pass.
/// Not thread-safe.
/// </summary>
internal sealed class TypedTopicComparison : IAsyncDisposable
{
    private readonly string _place;
    private readonly EventCodec _codec;
    private readonly Differences _differences;
    private readonly IAsyncEnumerator<ConsumeResult<byte[], byte[]>> _records;
    private readonly Dictionary<AggregateId, long> _seen = [];
    private RecordedEvent? _next;
    private bool _isOver;

    public TypedTopicComparison(EventStreamsReader reader, string topic, int partition, Differences differences,
        CancellationToken cancellationToken)
    {
        _place = string.Create(CultureInfo.InvariantCulture, $"{topic}, partition {partition}");
        _codec = new EventCodec(reader.Serde);
        _differences = differences;
        _records = PartitionLogReader.ReadAsync(reader.Kafka, reader.Definition.Name, new TopicPartition(topic, partition), 0,
            cancellationToken).GetAsyncEnumerator(cancellationToken);
    }

    /// <summary>How many were compared.</summary>
    public long Compared { get; private set; }

    /// <summary>How many are there again.</summary>
    public long Repeats { get; private set; }

    /// <summary>
    /// Compares the next event of the type; <paramref name="isRead"/>: the streams say that they have read it.
    /// </summary>
    public async Task Compare(RecordedEvent due, bool isRead)
    {
        if (_isOver)
            return;
        while (true)
        {
            if (await Peek().ConfigureAwait(false) is not { } found)
            {
                _isOver = true;
                if (isRead)
                    _differences.Add($"{_place} ends before {Said(due)}, which the streams have read.");
                return;
            }

            if (Same(found, due))
            {
                (_next, _seen[due.AggregateId]) = (null, due.Version);
                Compared++;
                return;
            }

            if (!PassOverRepeat(found))
            {
                _isOver = true;
                _differences.Add($"{_place} has {Said(found)} at offset {found.Offset} where {Said(due)} is due.");
                return;
            }
        }
    }

    /// <summary>Nothing else is due.</summary>
    public async Task Finish()
    {
        while (!_isOver && await Peek().ConfigureAwait(false) is { } found)
        {
            if (PassOverRepeat(found))
                continue;
            _isOver = true;
            _differences.Add($"{_place} has {Said(found)} at offset {found.Offset}, which is not among the events.");
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _records.DisposeAsync();

    private static string Said(RecordedEvent recorded) => string.Create(CultureInfo.InvariantCulture,
        $"version {recorded.Version} of '{recorded.AggregateId}'");

    private static bool Same(RecordedEvent found, RecordedEvent due) =>
        found.AggregateId == due.AggregateId && found.Version == due.Version && found.CommandId == due.CommandId && found.Time == due.Time
            && found.Payload.Equals(due.Payload);

    private bool PassOverRepeat(RecordedEvent found)
    {
        if (!_seen.TryGetValue(found.AggregateId, out long version) || found.Version > version)
            return false;
        Repeats++;
        _next = null;
        return true;
    }

    private async ValueTask<RecordedEvent?> Peek()
    {
        if (_next is null && await _records.MoveNextAsync().ConfigureAwait(false))
            _next = _codec.Decode(_records.Current)[0];
        return _next;
    }
}
