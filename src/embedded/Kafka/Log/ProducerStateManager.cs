using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// The producers of a log: who may append what, which transactions are open, and the <c>.snapshot</c> files that spare a scan at the next
/// start. The log's lock is held.
/// </summary>
internal sealed class ProducerStateManager(string directory)
{
    /// <summary>Kafka's <c>producer.id.expiration.ms</c>.</summary>
    public const long ExpirationMs = 24 * 60 * 60 * 1000;

    private readonly Dictionary<long, ProducerStateEntry> _producers = [];
    private readonly SortedDictionary<long, long> _ongoing = []; // first offset -> producer id
    private SortedSet<long> _snapshots = [];
    private long _lastSnapshotOffset = -1;

    /// <summary>The state holds all batches below.</summary>
    public long MapEndOffset { get; set; }

    public IReadOnlyDictionary<long, ProducerStateEntry> Producers => _producers;

    public IReadOnlyCollection<long> Snapshots => _snapshots;

    /// <summary>The first offset of the oldest open transaction; null without one.</summary>
    public long? FirstUnstableOffset
    {
        get
        {
            foreach (long first in _ongoing.Keys)
                return first;
            return null;
        }
    }

    /// <summary>Whether a batch may be appended: None, or why not. <paramref name="duplicate"/> is where it stands already.</summary>
    public (ErrorCode Error, string? Message) Check(
        in RecordBatch batch, bool isClient, long offset, TopicPartition partition, out BatchMetadata? duplicate)
    {
        duplicate = null;
        _producers.TryGetValue(batch.ProducerId, out ProducerStateEntry? producer);
        if (producer is null)
            return (ErrorCode.None, null); // a producer that this log does not know (any more) may go on where it is (KIP-360)
        if (isClient)
        {
            duplicate = producer.FindDuplicate(batch);
            if (duplicate is not null)
                return (ErrorCode.None, null);
        }

        if (batch.ProducerEpoch < producer.Epoch)
            return (ErrorCode.InvalidProducerEpoch,
                string.Create(CultureInfo.InvariantCulture,
                    $"Epoch of producer {batch.ProducerId} at offset {offset} in {partition} is {batch.ProducerEpoch}, which is smaller "
                        + $"than the last seen epoch {producer.Epoch}"));
        if (batch.IsControl)
        {
            return batch.Commits is not null && producer.CoordinatorEpoch > batch.CoordinatorEpoch
                ? (ErrorCode.TransactionCoordinatorFenced,
                    string.Create(CultureInfo.InvariantCulture,
                        $"Invalid coordinator epoch for producerId {batch.ProducerId} at offset {offset} in "
                            + $"partition {partition}: {batch.CoordinatorEpoch} (zombie), {producer.CoordinatorEpoch} (current)"))
                : (ErrorCode.None, null);
        }

        if (isClient && batch.ProducerEpoch != producer.Epoch)
        {
            if (batch.BaseSequence != 0 && producer.Epoch >= 0)
                return (ErrorCode.OutOfOrderSequenceNumber,
                    string.Create(CultureInfo.InvariantCulture,
                        $"Invalid sequence number for new epoch of producer {batch.ProducerId} at offset {offset} in "
                            + $"partition {partition}: {batch.ProducerEpoch} (request epoch), {batch.BaseSequence} (seq. "
                            + $"number), {producer.Epoch} (current producer epoch)"));
        }
        else if (isClient && batch.BaseSequence != (producer.LastSequence == int.MaxValue ? 0 : producer.LastSequence + 1))
        {
            return (ErrorCode.OutOfOrderSequenceNumber,
                string.Create(CultureInfo.InvariantCulture,
                    $"Out of order sequence number for producer {batch.ProducerId} at offset {offset} in "
                        + $"partition {partition}: {batch.BaseSequence} (incoming seq. number), {producer.LastSequence} (current end "
                        + $"sequence number)"));
        }

        return producer.CurrentTransactionFirstOffset >= 0 && !batch.IsTransactional
            ? (ErrorCode.InvalidTxnState, string.Create(CultureInfo.InvariantCulture,
                $"Expected transactional write from producer {batch.ProducerId} at offset {offset} in partition {partition}"))
            : (ErrorCode.None, null);
    }

    /// <summary>Takes an appended batch; returns the transaction that it aborts, if it does.</summary>
    public AbortedTransaction? Update(in RecordBatch batch)
    {
        MapEndOffset = batch.NextOffset;
        // An empty marker stands for a transaction that was cleaned from the log.
        if (!batch.HasProducerId || (batch.IsControl && batch.Commits is null))
            return null;
        if (!_producers.TryGetValue(batch.ProducerId, out ProducerStateEntry? producer))
            _producers.Add(batch.ProducerId, producer = new ProducerStateEntry(batch.ProducerId));
        if (!batch.IsControl)
        {
            if (producer.AddBatch(batch))
                _ongoing[batch.BaseOffset] = batch.ProducerId;
            return null;
        }

        long first = producer.EndTransaction(batch.ProducerEpoch, batch.CoordinatorEpoch, batch.MaxTimestamp);
        if (first < 0)
            return null;
        _ongoing.Remove(first);
        return batch.Commits == true
            ? null
            : new AbortedTransaction(batch.ProducerId, first, batch.BaseOffset, FirstUnstableOffset ?? batch.NextOffset);
    }

    public void RemoveExpired(long now)
    {
        foreach ((long id, ProducerStateEntry producer) in _producers)
        {
            if (IsExpired(producer, now))
                _producers.Remove(id);
        }
    }

    /// <summary>
    /// Starts anew from the newest whole snapshot from the first segment's base to <paramref name="endOffset"/>; what is missing up to
    /// there is the caller's to replay from <see cref="MapEndOffset"/> on.
    /// </summary>
    public void Load(long firstBaseOffset, long endOffset, long now)
    {
        _producers.Clear();
        _ongoing.Clear();
        _snapshots = [.. Directory.EnumerateFiles(directory, "*" + ProducerSnapshotFile.Extension).Select(f =>
            long.Parse(Path.GetFileNameWithoutExtension(f), CultureInfo.InvariantCulture))];
        foreach (long offset in _snapshots.Where(o => o > endOffset || o < firstBaseOffset).ToArray())
            DeleteSnapshot(offset);
        (MapEndOffset, _lastSnapshotOffset) = (firstBaseOffset, firstBaseOffset);
        foreach (long offset in _snapshots.Reverse().ToArray())
        {
            if (ProducerSnapshotFile.Read(PathOf(offset)) is not { } producers)
            {
                DeleteSnapshot(offset);
                continue;
            }

            foreach (ProducerStateEntry producer in producers.Where(p => !IsExpired(p, now)))
            {
                _producers[producer.ProducerId] = producer;
                if (producer.CurrentTransactionFirstOffset >= 0)
                    _ongoing[producer.CurrentTransactionFirstOffset] = producer.ProducerId;
            }

            (MapEndOffset, _lastSnapshotOffset) = (offset, offset);
            break;
        }
    }

    /// <summary>Writes a snapshot of the state at <see cref="MapEndOffset"/>, unless there is one.</summary>
    public void TakeSnapshot()
    {
        if (MapEndOffset <= _lastSnapshotOffset)
            return;
        ProducerSnapshotFile.Write(PathOf(MapEndOffset), _producers.Values);
        _snapshots.Add(MapEndOffset);
        _lastSnapshotOffset = MapEndOffset;
    }

    /// <summary>Deletes snapshots that belong to no segment, but for the newest.</summary>
    public void RemoveStraySnapshots(IEnumerable<long> segmentBaseOffsets)
    {
        var bases = segmentBaseOffsets.ToHashSet();
        foreach (long offset in _snapshots.Where(o => !bases.Contains(o) && o != _snapshots.Max).ToArray())
            DeleteSnapshot(offset);
    }

    public void DeleteSnapshotsBelow(long offset)
    {
        foreach (long snapshot in _snapshots.Where(o => o < offset && o != _snapshots.Max).ToArray())
            DeleteSnapshot(snapshot);
        if (MapEndOffset < offset)
            MapEndOffset = offset;
    }

    public void DeleteSnapshot(long offset)
    {
        if (_snapshots.Remove(offset))
            File.Delete(PathOf(offset));
    }

    private static bool IsExpired(ProducerStateEntry producer, long now) =>
        producer.CurrentTransactionFirstOffset < 0 && now - producer.LastTimestamp >= ExpirationMs;

    private string PathOf(long offset) => Path.Combine(directory, LogSegment.NameOf(offset) + ProducerSnapshotFile.Extension);
}
