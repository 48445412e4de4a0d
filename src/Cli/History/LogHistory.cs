using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Cli.History;

/// <summary>
/// The events of an aggregate from the log, as they are there: all records of the partition are read. Versions come in order, each once;
/// what comes again is none of the aggregate's.
/// </summary>
internal sealed class LogHistory : IHistorySource, IDisposable
{
    private readonly KafkaConnection _kafka;
    private readonly AggregatePlace _place;
    private readonly RecordDecoder _decoder;
    private readonly Lazy<IReadOnlyDictionary<long, DeadLetterResolution>> _discarded;
    private long _version; // the last that was seen

    public LogHistory(KafkaConnection kafka, SchemaRegistryConfig registry, AggregatePlace place)
    {
        (_kafka, _place, _decoder) = (kafka, place, new RecordDecoder(registry));
        _discarded = new Lazy<IReadOnlyDictionary<long, DeadLetterResolution>>(() => place.HasDeadLetters
            ? new DiscardedEvents(kafka, place.Family).Of(place.Partition.Partition.Value, CancellationToken.None)
            : new Dictionary<long, DeadLetterResolution>());
    }

    /// <inheritdoc/>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public async IAsyncEnumerable<JsonObject> Read(long version, long offset, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.ReadAsync(_kafka, "kes-history", _place.Partition, offset,
            cancellationToken).ConfigureAwait(false))
        {
            if (await Shown(record).ConfigureAwait(false) is { } shown && _version >= version)
                yield return shown;
        }
    }

    /// <summary>
    /// The offsets from <paramref name="offset"/> on at which something of the aggregate comes, for as long as it is asked.
    /// </summary>
    public IEnumerable<long> Follow(long offset, CancellationToken cancellationToken)
    {
        using PartitionLogReader reader = PartitionLogReader.Tailing(_kafka, "kes-history", withHeaders: false);
        reader.Begin(new TopicPartitionOffset(_place.Partition, offset));
        while (true)
        {
            ConsumeResult<byte[], byte[]> record = reader.Next(cancellationToken);
            if (IsOwn(record))
                yield return record.Offset.Value;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _decoder.Dispose();

    private bool IsOwn(ConsumeResult<byte[], byte[]> record) => record.Message.Key.AsSpan().SequenceEqual(_place.Key);

    // Null: it is none of the aggregate's events.
    private async Task<JsonObject?> Shown(ConsumeResult<byte[], byte[]> record)
    {
        if (!IsOwn(record)
            || Header(record, CloudEventHeaders.Sequence) is not { } sequence
            || !long.TryParse(sequence, NumberStyles.None, CultureInfo.InvariantCulture, out long version)
            || version != (_version == 0 ? version : _version + 1))
            return null;
        _version = version;
        var shown = new JsonObject
        {
            ["version"] = version,
            ["time"] = Header(record, CloudEventHeaders.Time),
            ["type"] = Header(record, CloudEventHeaders.Type),
            ["commandId"] = Header(record, CloudEventHeaders.CausationId),
            ["correlationId"] = Header(record, CloudEventHeaders.CorrelationId),
            ["token"] = new ConsistencyToken(record.Partition.Value, record.Offset.Value).ToString(),
        };
        switch (await _decoder.Decode(record!).ConfigureAwait(false))
        {
            case RecordValue.Avro avro:
                (shown["type"], shown["event"]) = (avro.Type, JsonNode.Parse(avro.Json));
                break;
            case RecordValue.Unreadable unreadable:
                (shown["event"], shown["error"]) = (null, unreadable.Why);
                break;
            default:
                (shown["event"], shown["error"]) = (null, "The value is not in Confluent's Avro wire format.");
                break;
        }

        if (_discarded.Value.ContainsKey(record.Offset.Value))
            shown["discarded"] = true;
        return shown;
    }

    private static string? Header(ConsumeResult<byte[], byte[]> record, string name) =>
        CloudEventHeaders.Find(record.Message.Headers, name) is { } value ? Encoding.UTF8.GetString(value) : null;
}
