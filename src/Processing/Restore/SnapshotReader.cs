using System.IO.Hashing;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>The newest barrier of one partition of the snapshot topic.</summary>
internal sealed class SnapshotReader
{
    private readonly KafkaConnection _connection;
    private readonly TopicPartition _partition;
    private readonly int _partitions;
    private readonly SchemaRegistryRetry _registry;
    private readonly Func<ConsumeResult<byte[], byte[]>, IAvroRecord> _decode;

    public SnapshotReader(PartitionContext context, int partition, SchemaRegistryRetry registry)
    {
        (_connection, _registry, _partitions) = (context.Connection, registry, context.Partitions);
        _decode = record => context.Serde.Decode(record.Message.Value);
        _partition = new TopicPartition(context.Topics.Snapshots, partition);
    }

    /// <summary>The key of barrier markers. No aggregate id starts with a control character.</summary>
    public static byte[] BarrierKey { get; } = [0, .. "barrier"u8];

    /// <summary>The key of <see cref="PartitionPosition"/>, likewise.</summary>
    public static byte[] PositionKey { get; } = [0, .. "position"u8];

    /// <summary>
    /// Puts the aggregates of the newest barrier into <paramref name="store"/>, which is new, as they come: what is in memory at one time
    /// does not grow with their number, but for a few bytes each. Null when there is no barrier. The caller writes the checkpoint, or
    /// deletes what was put.
    /// </summary>
    /// <exception cref="InvalidDataException">A part of a large snapshot is missing.</exception>
    /// <exception cref="UnexpectedLogException">A snapshot is of an aggregate of another partition.</exception>
    public LoadedBarrier? ReadInto(StateStore store, AvroRecordType stateType, CancellationToken cancellationToken)
    {
        // By hash: two ids that share one make a few deletions of nothing.
        var outcomes = new Dictionary<ulong, int>();
        var otherSchema = new HashSet<ulong>();
        var large = new Dictionary<string, AggregateSnapshot>();
        var parts = new Dictionary<string, Dictionary<int, AggregateSnapshot>>();
        var misplaced = new Dictionary<string, TopicPartitionOffset>();
        SnapshotBarrier? newest = null;
        foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.Read(_connection, "snapshots", _partition, 0,
            cancellationToken))
        {
            byte[] key = record.Message.Key;
            if (IsMisplaced(key))
                NoteMisplaced(record);
            else if (record.Message.Value is null)
                Forget(key);
            else if (key.AsSpan().SequenceEqual(BarrierKey))
                newest = (SnapshotBarrier)Decode(record);
            else if (key.AsSpan().SequenceEqual(PositionKey))
                continue; // it is read before
            else if (SnapshotParts.TryReadKey(key, out byte[] aggregate, out int part))
                AddPart(Encoding.UTF8.GetString(aggregate), part, (AggregateSnapshot)Decode(record));
            else if ((AggregateSnapshot)Decode(record) is var snapshot && snapshot.Parts > 0)
                large[Encoding.UTF8.GetString(key)] = snapshot;
            else
                PutWhole(key, snapshot);
        }

        if (misplaced.Count > 0)
        {
            (string id, TopicPartitionOffset place) = misplaced.MinBy(m => m.Value.Offset.Value);
            throw Misplaced.Refuse(place, "snapshot", id, Murmur2.Partition(Encoding.UTF8.GetBytes(id), _partitions), _partitions);
        }

        foreach ((string id, AggregateSnapshot first) in large)
            Put(Encoding.UTF8.GetBytes(id), SnapshotParts.Join(first, id, PartsOf(id)));
        // A barrier and its snapshots are one transaction: whoever sees a snapshot sees the marker behind it.
        return newest is { } barrier
            ? new LoadedBarrier(barrier.NextEventOffset, outcomes.Count, otherSchema.Count > 0,
                Math.Max(0, barrier.TotalAggregates - outcomes.Count - otherSchema.Count))
            : null;

        // One whose tombstone follows was given up.
        void NoteMisplaced(ConsumeResult<byte[], byte[]> record)
        {
            string id = Encoding.UTF8.GetString(SnapshotParts.TryReadKey(record.Message.Key, out byte[] aggregate, out _)
                ? aggregate
                : record.Message.Key);
            if (record.Message.Value is null)
                misplaced.Remove(id);
            else
                misplaced[id] = record.TopicPartitionOffset;
        }

        IAvroRecord Decode(ConsumeResult<byte[], byte[]> record) => _registry.Read(record, _decode, cancellationToken);

        void Forget(byte[] key)
        {
            if (key.AsSpan().SequenceEqual(BarrierKey))
            {
                newest = null; // it was withdrawn
                return;
            }

            if (SnapshotParts.TryReadKey(key, out byte[] aggregate, out int part))
            {
                PartsOf(Encoding.UTF8.GetString(aggregate)).Remove(part);
                return;
            }

            ulong hash = XxHash3.HashToUInt64(key);
            large.Remove(Encoding.UTF8.GetString(key));
            otherSchema.Remove(hash);
            if (outcomes.Remove(hash, out int remembered))
                store.ForgetSnapshot(key, remembered);
        }

        // The parts of a snapshot follow its first record: it is put with the last of them, so that one large aggregate at a time is in
        // memory.
        void AddPart(string id, int part, AggregateSnapshot snapshot)
        {
            Dictionary<int, AggregateSnapshot> known = PartsOf(id);
            known[part] = snapshot;
            if (!large.TryGetValue(id, out AggregateSnapshot? first)
                || part != first.Parts
                || !Enumerable.Range(1, first.Parts).All(p => known.GetValueOrDefault(p)?.Version == first.Version))
                return;
            Put(Encoding.UTF8.GetBytes(id), SnapshotParts.Join(first, id, known));
            large.Remove(id);
            parts.Remove(id);
        }

        void PutWhole(byte[] key, AggregateSnapshot snapshot)
        {
            if (large.Count > 0)
                large.Remove(Encoding.UTF8.GetString(key)); // it is smaller now
            Put(key, snapshot);
        }

        void Put(byte[] key, AggregateSnapshot snapshot)
        {
            ulong hash = XxHash3.HashToUInt64(key);
            if (snapshot.StateSchema != stateType.Fingerprint)
            {
                otherSchema.Add(hash);
                return;
            }

            otherSchema.Remove(hash);
            store.PutSnapshot(key, snapshot, outcomes.TryGetValue(hash, out int before) ? before : null);
            outcomes[hash] = snapshot.RecentCommands.Count;
            store.WritePiece();
        }

        Dictionary<int, AggregateSnapshot> PartsOf(string id)
        {
            if (!parts.TryGetValue(id, out Dictionary<int, AggregateSnapshot>? known))
                parts.Add(id, known = []);
            return known;
        }
    }

    private bool IsMisplaced(byte[] key) =>
        SnapshotParts.TryReadKey(key, out byte[] aggregate, out _) ? Murmur2.Partition(aggregate, _partitions) != _partition.Partition.Value
        // a control character begins what is not an aggregate's
        : key is not [0, ..] && Murmur2.Partition(key, _partitions) != _partition.Partition.Value;
}

/// <summary>
/// What a load of snapshots has put: <paramref name="Aggregates"/>, up to the event before <paramref name="NextEventOffset"/>; of no use
/// where one of them <paramref name="IsOfAnotherSchema"/>, or where some are <paramref name="Missing"/>, as in a topic that was made again
/// or cut since.
/// </summary>
internal sealed record LoadedBarrier(long NextEventOffset, int Aggregates, bool IsOfAnotherSchema, long Missing);
