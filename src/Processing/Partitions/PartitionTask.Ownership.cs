using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>How the task proves and publishes that it owns its partition: transactions of its own producer, which Kafka refuses once another task has fenced it.</summary>
internal sealed partial class PartitionTask
{
    private const int ChangesPerSnapshot = 4;

    private readonly ReadFence _fence;
    private volatile bool _announce;

    /// <summary>Publishes the owner again, as this node's address has changed.</summary>
    public void Announce()
    {
        _announce = true;
        _queue.Nudge();
    }

    /// <summary>A read; strong ones wait for a commit that begins after they came.</summary>
    public async ValueTask<AggregateView?> Read(AggregateId id, ReadConsistency consistency, CancellationToken cancellationToken)
    {
        await Reads(consistency, cancellationToken).ConfigureAwait(false);
        return Read(id);
    }

    /// <summary>The first offset whose event reads do not show; -1: the partition does not serve here.</summary>
    public long NextOffset => Status == PartitionStatus.Serving ? _store!.Checkpoint : -1;

    /// <summary>A read of what the store has, for callers that know how far it must have come.</summary>
    public AggregateView? Read(AggregateId id)
    {
        ThrowIfBroken(id);
        return _reads!.Read(id);
    }

    /// <summary>All aggregates of the partition.</summary>
    public async ValueTask<IEnumerable<AggregateView>> ReadAll(CancellationToken cancellationToken) =>
        (await Reads(ReadConsistency.Strong, cancellationToken).ConfigureAwait(false)).ReadAll();

    private async ValueTask<StoreReads> Reads(ReadConsistency consistency, CancellationToken cancellationToken)
    {
        if (Status == PartitionStatus.Halted)
            throw new AggregateUnavailableException(_partition, $"Partition {_partition} is halted: {HaltReason}");
        if (Status != PartitionStatus.Serving)
            throw new AggregateUnavailableException(_partition, $"Partition {_partition} is {Status.ToString().ToLowerInvariant()} on this node; try again.");
        if (consistency == ReadConsistency.Strong)
        {
            Task proof = _fence.Next(out bool first);
            if (first)
                _queue.Nudge();
            await proof.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        return _reads!;
    }

    // What no batch has carried: reads that wait, or a new address. One record makes it a transaction that Kafka has to accept; librdkafka does not ask the broker to end an empty one.
    private void CommitAlone()
    {
        if (_announce)
            Publish(OwnerStatus.Serving);
        else if (_fence.IsAwaited)
            CommitOwn(() => _writer.WriteFence(_context.ReplyPartitions));
    }

    private void Publish(OwnerStatus status)
    {
        _announce = false; // before the address is read: one that comes now is announced again, one that has come need not be
        CommitOwn(() => _writer.WriteOwner(new PartitionOwner { Node = _context.Node.Id, Address = _context.Node.Address, Status = status, Time = _context.Time.GetUtcNow() }));
    }

    private void CommitOwn(Action write)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                _writer.Begin();
                write();
                _fence.BeginCommit();
                Commit();
                break;
            }
            catch (KafkaTxnRequiresAbortException failed)
            {
                LogAborted(failed, _partition);
                _producer.AbortTransaction(TransactionCallTimeout);
                if (attempt >= MaxCommitAttempts)
                    throw; // what is written here needs no group: it is not for a rebalance to pass
            }
        }

        _fence.Committed();
    }

    // What the next owner would have to replay is worth a barrier when it is much more than what the barrier would hold. That the partition is free is told for the sake of those who wait; nothing depends on it.
    private void HandOver()
    {
        Status = PartitionStatus.Stopped;
        try
        {
            if (_eventsSinceBarrier >= _context.Options.HandOverBarrierEvents && _store!.Changed().Count * ChangesPerSnapshot <= _eventsSinceBarrier)
                TryWriteBarrier(null);
            Publish(OwnerStatus.Released);
        }
        catch (KafkaException deposed)
        {
            LogNotReleased(deposed, _partition);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Partition {Partition} could not be handed over: another node has it already, or Kafka cannot be reached")]
    private partial void LogNotReleased(Exception failure, int partition);
}
