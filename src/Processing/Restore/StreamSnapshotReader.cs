using System.IO.Hashing;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>The snapshots that event streams keep of one partition, as far as they are committed.</summary>
internal sealed class StreamSnapshotReader
{
    // Until it is compacted the topic has a snapshot an event: of those of one aggregate that come close together the last is put alone.
    private const int MaxWaitingBytes = 32 * 1024 * 1024;
    private const int BytesAround = 128;

    private readonly TopicPartition _source;
    private readonly PartitionContext _context;
    private readonly SchemaRegistryRetry _registry;
    private readonly StreamSnapshotFormat _format;
    private readonly StateStore _store;
    private readonly string _stateSchema;
    private readonly CancellationToken _cancellation;
    private readonly Dictionary<byte[], ConsumeResult<byte[], byte[]>> _waiting = new(KeyComparer.Instance);
    private readonly Dictionary<ulong, int> _outcomes = []; // by hash: two ids that share one make a few deletions of nothing
    private long _waitingBytes;
    private StreamSnapshot? _mark;
    private long _ahead;

    /// <summary>Reads into <paramref name="store"/>, which is new.</summary>
    public StreamSnapshotReader(PartitionContext context, TopicPartition source, SchemaRegistryRetry registry, StateStore store,
        CancellationToken cancellationToken)
    {
        (_context, _source, _registry, _store, _cancellation) = (context, source, registry, store, cancellationToken);
        _format = new StreamSnapshotFormat(context.Serde.SchemaOf);
        _stateSchema = context.Serde.TypeOf(context.Definition.StateType).Fingerprint;
    }

    /// <summary>
    /// Puts the newest snapshots into the store as they come, in pieces. The caller writes the checkpoint, or deletes what was put.
    /// </summary>
    /// <param name="reader">A reader to the end of what is committed.</param>
    /// <returns>What was put, or why it is of no use.</returns>
    /// <exception cref="InvalidDataException">A value is not a snapshot of event streams.</exception>
    /// <exception cref="UnexpectedLogException">A snapshot is of an aggregate of another partition.</exception>
    public StreamLoad Read(PartitionLogReader reader)
    {
        WatermarkOffsets bounds = reader.Bounds(_source, _cancellation);
        if (bounds.Low.Value > 0)
            return StreamLoad.Useless($"it begins at offset {bounds.Low.Value}: snapshots were deleted from it");
        foreach (ConsumeResult<byte[], byte[]> record in reader.Read(_source, 0, _cancellation))
        {
            if (record.Message.Key is not { } key)
                return StreamLoad.Useless($"the record at offset {record.Offset.Value} has no key: it is not of event streams");
            if (Problem(key, record) is { } problem)
                return StreamLoad.Useless(problem);
            if (key is [0, ..])
                continue;
            if (_waiting.TryGetValue(key, out ConsumeResult<byte[], byte[]>? before))
                _waitingBytes -= BytesOf(before);
            _waiting[key] = record;
            if ((_waitingBytes += BytesOf(record)) >= MaxWaitingBytes && PutWaiting() is { } unreadable)
                return StreamLoad.Useless(unreadable);
        }

        return PutWaiting() is { } why ? StreamLoad.Useless(why)
            : _mark is null
            ? StreamLoad.Useless("it has no mark: the streams have not run yet, or they run at least once, which is not enough")
            : new StreamLoad(_mark.Mark!, _mark.EventOffset + 1, Math.Max(_ahead, _mark.EventOffset + 1), _outcomes.Count, null);
    }

    // What is wrong; null: nothing.
    private string? Problem(byte[] key, ConsumeResult<byte[], byte[]> record)
    {
        bool isMark = key is [0, ..];
        if (isMark && !key.AsSpan().SequenceEqual(StreamSnapshotFormat.MarkKey))
            return key.AsSpan().SequenceEqual(StreamSnapshotFormat.DroppedKey)
                ? "aggregates were dropped from it"
                : $"the record at offset {record.Offset.Value} has a mark that this version does not know";
        if (record.Message.Value is null)
            return $"the record at offset {record.Offset.Value} deletes a snapshot";
        if (isMark)
        {
            _mark = Decode(record);
            return _mark.Mark is null ? "its mark is none" : null;
        }

        if (Murmur2.Partition(key, _context.Partitions) is var right && right != _source.Partition.Value)
            throw Misplaced.Refuse(record.TopicPartitionOffset, "snapshot", Encoding.UTF8.GetString(key), right, _context.Partitions);
        return null;
    }

    private string? PutWaiting()
    {
        foreach ((byte[] key, ConsumeResult<byte[], byte[]> record) in _waiting)
        {
            StreamSnapshot snapshot = Decode(record);
            if (snapshot.EventPartition != _source.Partition.Value || snapshot.Version < 1)
                throw new InvalidDataException($"The record {_source.Topic} {_source.Partition.Value}@{record.Offset.Value} is not the "
                    + "snapshot of an aggregate of its partition.");
            if (snapshot.StateSchema != _stateSchema)
                return "its states are of another schema";
            ulong hash = XxHash3.HashToUInt64(key);
            IReadOnlyList<byte[]> outcomes = Outcomes(snapshot);
            _store.PutSnapshot(key, new AggregateSnapshot
            {
                Version = snapshot.Version,
                EventOffset = snapshot.EventOffset,
                StateSchema = _stateSchema,
                State = snapshot.State,
                RecentCommands = outcomes,
            }, _outcomes.TryGetValue(hash, out int before) ? before : null, isChanged: true);
            _outcomes[hash] = outcomes.Count;
            _ahead = Math.Max(_ahead, snapshot.EventOffset + 1);
            _store.WritePiece();
        }

        _waiting.Clear();
        _waitingBytes = 0;
        return null;
    }

    private IReadOnlyList<byte[]> Outcomes(StreamSnapshot snapshot) =>
        [.. snapshot.Commands.Skip(Math.Max(0, snapshot.Commands.Count - _context.Options.RecentCommands)).Select(OutcomeCodec.Encode)];

    private StreamSnapshot Decode(ConsumeResult<byte[], byte[]> record) =>
        _registry.Read(record, r => _format.Read(r.Message.Value), _cancellation);

    private static long BytesOf(ConsumeResult<byte[], byte[]> record) =>
        record.Message.Key.Length + record.Message.Value.Length + BytesAround;
}

/// <summary>What a load of snapshots of event streams has put.</summary>
/// <param name="Mark">The newest mark; null: it is of no use.</param>
/// <param name="NextEventOffset">The first event that is not in all aggregates.</param>
/// <param name="Ahead">Behind the last event that is in any.</param>
/// <param name="Aggregates">How many were put.</param>
/// <param name="Problem">Why it is of no use; null: it is.</param>
internal sealed record StreamLoad(StreamMark? Mark, long NextEventOffset, long Ahead, int Aggregates, string? Problem)
{
    /// <summary>One that is of no use.</summary>
    public static StreamLoad Useless(string problem) => new(null, 0, 0, 0, problem);
}
