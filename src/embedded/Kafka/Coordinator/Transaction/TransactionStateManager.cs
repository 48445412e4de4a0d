using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// The transactions by their ids, and their records in <c>__transaction_state</c>, in Kafka's format: a change is written, then applied, by
/// the same code as at recovery. Used under the coordinator's lock.
/// </summary>
internal sealed class TransactionStateManager(UnifiedLog log, TimeProvider time)
{
    private readonly Dictionary<string, TransactionMetadata> _byId = [];
    private readonly Dictionary<long, string> _byProducer = [];

    public IReadOnlyCollection<TransactionMetadata> All => _byId.Values;

    public TransactionMetadata? Find(string id) => _byId.GetValueOrDefault(id);

    public bool TryFind(string id, [NotNullWhen(true)] out TransactionMetadata? transaction) => _byId.TryGetValue(id, out transaction);

    public TransactionMetadata? FindByProducer(long producerId) => _byProducer.TryGetValue(producerId, out string? id) ? _byId[id] : null;

    /// <summary>Reads the log from its start.</summary>
    public void Load() => CoordinatorLog.Replay(log, (batch, records) =>
    {
        if (!batch.IsControl)
            records.ForEach(r => Replay(r.Key, r.Value));
    });

    public DescribeTransactionsResponse Describe(DescribeTransactionsRequest request)
    {
        return new DescribeTransactionsResponse
        {
            TransactionStates = request.TransactionalIds.ConvertAll(id => !_byId.TryGetValue(id, out TransactionMetadata? transaction)
                ? new DescribeTransactionsResponse.State
                {
                    TransactionalId = id,
                    ErrorCode = (short)(id.Length == 0 ? ErrorCode.InvalidRequest : ErrorCode.TransactionalIdNotFound),
                }
                : new DescribeTransactionsResponse.State
                {
                    TransactionalId = id,
                    TransactionState = transaction.State.ToString(),
                    TransactionTimeoutMs = transaction.TimeoutMs,
                    TransactionStartTimeMs = transaction.StartedAt,
                    ProducerId = transaction.ProducerId,
                    ProducerEpoch = transaction.ProducerEpoch,
                    Topics = [.. transaction.Partitions.GroupBy(p => p.Topic).Select(g =>
                        new DescribeTransactionsResponse.State.TopicItem { Topic = g.Key, Partitions = [.. g.Select(p => p.Partition)] })],
                }),
        };
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

        return new ListTransactionsResponse
        {
            UnknownStateFilters = [.. request.StateFilters.Where(s => !Enum.TryParse(s, ignoreCase: false, out TransactionState _))],
            TransactionStates = [.. _byId.Values
                .Where(t => request.StateFilters.Count == 0 || request.StateFilters.Contains(t.State.ToString()))
                .Where(t => request.ProducerIdFilters.Count == 0 || request.ProducerIdFilters.Contains(t.ProducerId))
                .Where(t => pattern?.IsMatch(t.Id) ?? true)
                .Where(t => request.DurationFilter < 0 || now - t.StartedAt > request.DurationFilter)
                .Select(t => new ListTransactionsResponse.State
                {
                    TransactionalId = t.Id, ProducerId = t.ProducerId, TransactionState = t.State.ToString(),
                })],
        };
    }

    /// <summary>Writes what a transaction becomes, then makes it so.</summary>
    /// <exception cref="KafkaStorageException">The log cannot be written at present; nothing was.</exception>
    public TransactionMetadata Append(TransactionMetadata next)
    {
        next = next with { UpdatedAt = Now() };
        CoordinatorLog.Append(log, [new CoordinatorRecord(new TransactionLogKey { TransactionalId = next.Id }, next.ToLog())],
            next.UpdatedAt);
        Apply(next);
        return next;
    }

    /// <summary>Writes that a transactional id is forgotten, then forgets it.</summary>
    public void Forget(TransactionMetadata transaction)
    {
        CoordinatorLog.Append(log, [new CoordinatorRecord(new TransactionLogKey { TransactionalId = transaction.Id }, null)], Now());
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

    /// <summary>What a transaction is from now on.</summary>
    public void Apply(TransactionMetadata next)
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

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();
}
