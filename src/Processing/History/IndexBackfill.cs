using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;
using RocksDbSharp;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Reads events that a store does not have by aggregate and version from the log, beside the partition's task: a store that was filled from
/// snapshots lacks all before them. One partition of a node at a time. It goes on where it was when the store is opened again. What has
/// left the topic stays where it is, in the archive, which finds the events of an aggregate by itself.
/// </summary>
internal sealed partial class IndexBackfill(PartitionContext context, int partition, StateStore store, StoreReads reads)
{
    private const int WriteEvery = 5_000;
    private const int WriteEveryBytes = 4 * 1024 * 1024;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);

    private readonly TopicPartition _events = new(context.Topics.Events, partition);
    private readonly EventCodec _codec = new(context.Serde, context.Definition, context.Partitions);
    private readonly PooledBuffer _value = new();
    private readonly Dictionary<AggregateId, long> _versions = []; // that are in the batch
    private readonly WriteOptions _write = new WriteOptions().DisableWal(1);

    /// <summary>Fills the gap, and ends at once where there is none; faults of Kafka are waited out.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (store.Index.Gap.IsEmpty)
            return;
        try
        {
            await context.Backfills.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                while (!await Task.Factory.StartNew(() => TryFill(cancellationToken), CancellationToken.None,
                    TaskCreationOptions.LongRunning,
                    TaskScheduler.Default).ConfigureAwait(false))
                    await Task.Delay(Pause, context.Time, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                context.Backfills.Release();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // It goes on when the store is opened again.
        }
        catch (AggregateUnavailableException)
        {
            // The partition has left this node.
        }
        catch (Exception failure)
        {
            // Nobody waits for this: histories read what lacks from the log.
            LogFailed(context.Logger, failure, context.Definition.Name, partition);
        }
        finally
        {
            _value.Reset();
        }
    }

    private bool TryFill(CancellationToken cancellationToken)
    {
        IndexGap gap = store.Index.Gap;
        long events = 0;
        int bytes = 0;
        using var batch = new WriteBatch();
        long hot;
        try
        {
            using PartitionLogReader reader = PartitionLogReader.ToEnd(context.Connection, "history");
            hot = reader.HotBounds(_events, cancellationToken).Low.Value;
            if (hot >= gap.To)
                return true;
            long from = Math.Max(gap.From, hot);
            LogBegun(context.Logger, context.Definition.Name, partition, from, gap.To);
            foreach (ConsumeResult<byte[], byte[]> record in reader.Read(_events, from, cancellationToken))
            {
                if (record.Offset.Value >= gap.To)
                    break;
                if (Add(batch, record, isWhole: hot <= gap.From))
                    (events, bytes) = (events + 1, bytes + (record.Message.Value?.Length ?? 0));
                if (_versions.Count > 0 && (batch.Count() >= WriteEvery || bytes >= WriteEveryBytes))
                {
                    // where events before them are in the archive, one gap is left at the end only
                    Write(batch, hot <= gap.From ? gap with { From = record.Offset.Value + 1 } : gap);
                    bytes = 0;
                }
            }
        }
        catch (KafkaException away)
        {
            _versions.Clear();
            LogLater(context.Logger, away, context.Definition.Name, partition);
            return false;
        }

        Write(batch, hot <= gap.From ? gap with { From = gap.To } : gap with { To = hot });
        LogDone(context.Logger, context.Definition.Name, partition, events);
        return true;
    }

    private void Write(WriteBatch batch, IndexGap left)
    {
        reads.Within(() => store.Index.Fill(batch, left, _write));
        batch.Clear();
        _versions.Clear();
    }

    // What the fold has taken: of an aggregate the versions in order, each once. What is before the gap, and in the batch, is known.
    private bool Add(WriteBatch batch, ConsumeResult<byte[], byte[]> record, bool isWhole)
    {
        if (!_codec.TryReadHead(record, out EventHead head))
            return false;
        byte[] id = Encoding.UTF8.GetBytes(head.AggregateId.Value);
        long offset = record.Offset.Value;
        if (_versions.TryGetValue(head.AggregateId, out long before)
            ? head.Version != before + 1
            : !IsDue(id, head.Version, offset, isWhole))
            return false;
        _versions[head.AggregateId] = head.Version;
        batch.Put(StoreKeys.Of(StoreKeys.Index, id, head.Version), store.Index.Encode(_value, head, offset, record.Message.Value));
        return true;
    }

    private bool IsDue(byte[] id, long version, long offset, bool isWhole)
    {
        bool isDue = false;
        reads.Within(() => isDue = (version == 1 || (store.Index.OffsetOf(id, version - 1) is { } before ? before < offset : !isWhole))
            && !(store.Index.OffsetOf(id, version) < offset));
        return isDue;
    }

    [LoggerMessage(Level = LogLevel.Information,
        Message = "The store of {Aggregate}, partition {Partition}, lacks the events from offset {From} to {To} by aggregate; they are "
            + "read "
            + "from the log beside the commands")]
    private static partial void LogBegun(ILogger logger, string aggregate, int partition, long from, long to);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "The store of {Aggregate}, partition {Partition}, has all events by aggregate now; {Events} were read from the log")]
    private static partial void LogDone(ILogger logger, string aggregate, int partition, long events);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The events that the store of {Aggregate}, partition {Partition}, lacks cannot be read now; it is tried again")]
    private static partial void LogLater(ILogger logger, Exception reason, string aggregate, int partition);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "The store of {Aggregate}, partition {Partition}, does not get the events that it lacks before the next start")]
    private static partial void LogFailed(ILogger logger, Exception failure, string aggregate, int partition);
}
