using System.Text.RegularExpressions;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The records of <c>__transaction_state</c>, in Kafka's format, and what is told of transactions.</summary>
internal sealed partial class TransactionCoordinator
{
    /// <summary>Reads the log from its start, and ends what was being ended.</summary>
    public void Load()
    {
        lock (_lock)
        {
            CoordinatorLog.Replay(_log, (batch, records) =>
            {
                if (!batch.IsControl)
                    records.ForEach(r => Replay(r.Key, r.Value));
            });
            foreach (TransactionMetadata transaction in _byId.Values.Where(t => t.IsEnding).ToArray())
                Complete(transaction);
        }
    }

    public DescribeTransactionsResponse Describe(DescribeTransactionsRequest request)
    {
        lock (_lock)
        {
            return new DescribeTransactionsResponse
            {
                TransactionStates = request.TransactionalIds.ConvertAll(id => !_byId.TryGetValue(id, out TransactionMetadata? transaction)
                    ? new DescribeTransactionsResponse.State { TransactionalId = id, ErrorCode = (short)(id.Length == 0 ? ErrorCode.InvalidRequest : ErrorCode.TransactionalIdNotFound) }
                    : new DescribeTransactionsResponse.State
                    {
                        TransactionalId = id,
                        TransactionState = transaction.State.ToString(),
                        TransactionTimeoutMs = transaction.TimeoutMs,
                        TransactionStartTimeMs = transaction.StartedAt,
                        ProducerId = transaction.ProducerId,
                        ProducerEpoch = transaction.ProducerEpoch,
                        Topics = [.. transaction.Partitions.GroupBy(p => p.Topic).Select(g => new DescribeTransactionsResponse.State.TopicItem { Topic = g.Key, Partitions = [.. g.Select(p => p.Partition)] })],
                    }),
            };
        }
    }

    public ListTransactionsResponse List(ListTransactionsRequest request)
    {
        long now = Now();
        Regex? pattern = null;
        try
        {
            // Kafka takes RE2's language, which needs no backtracking.
            if (request.TransactionalIdPattern is { Length: > 0 } expression)
                pattern = new Regex($"^(?:{expression})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception wrong) when (wrong is ArgumentException or NotSupportedException)
        {
            return new ListTransactionsResponse { ErrorCode = (short)ErrorCode.InvalidRegularExpression };
        }

        lock (_lock)
        {
            return new ListTransactionsResponse
            {
                UnknownStateFilters = [.. request.StateFilters.Where(s => !Enum.TryParse(s, ignoreCase: false, out TransactionState _))],
                TransactionStates = [.. _byId.Values
                    .Where(t => request.StateFilters.Count == 0 || request.StateFilters.Contains(t.State.ToString()))
                    .Where(t => request.ProducerIdFilters.Count == 0 || request.ProducerIdFilters.Contains(t.ProducerId))
                    .Where(t => pattern?.IsMatch(t.Id) ?? true)
                    .Where(t => request.DurationFilter < 0 || now - t.StartedAt > request.DurationFilter)
                    .Select(t => new ListTransactionsResponse.State { TransactionalId = t.Id, ProducerId = t.ProducerId, TransactionState = t.State.ToString() })],
            };
        }
    }

    private TransactionMetadata Commit(TransactionMetadata next)
    {
        next = next with { UpdatedAt = Now() };
        CoordinatorLog.Append(_log, [new CoordinatorRecord(new TransactionLogKey { TransactionalId = next.Id }, next.ToLog())], next.UpdatedAt);
        Apply(next);
        return next;
    }

    private void Forget(TransactionMetadata transaction)
    {
        CoordinatorLog.Append(_log, [new CoordinatorRecord(new TransactionLogKey { TransactionalId = transaction.Id }, null)], Now());
        Remove(transaction.Id);
    }

    private void Replay(ReadOnlyMemory<byte>? keyBytes, ReadOnlyMemory<byte>? valueBytes)
    {
        if (keyBytes is not { } given)
            return;
        var keyReader = new KafkaReader(given);
        if (keyReader.ReadInt16() != TransactionLogKey.MaxVersion)
            return;
        string id = TransactionLogKey.Read(ref keyReader, TransactionLogKey.MaxVersion).TransactionalId;
        if (valueBytes is not { } present)
        {
            Remove(id);
            return;
        }

        var valueReader = new KafkaReader(present);
        Apply(TransactionMetadata.FromLog(id, TransactionLogValue.Read(ref valueReader, valueReader.ReadInt16())));
    }

    private void Apply(TransactionMetadata next)
    {
        Remove(next.Id);
        _byId[next.Id] = next;
        _byProducer[next.ProducerId] = next.Id;
    }

    private void Remove(string id)
    {
        if (_byId.Remove(id, out TransactionMetadata? before))
            _byProducer.Remove(before.ProducerId);
    }
}
