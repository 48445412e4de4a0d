using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// Transactions (Apache Kafka, KIP-98, KIP-360, KIP-890). A request decides what the transaction becomes; that is written to
/// <c>__transaction_state</c> and then applied, by the same code as at recovery. Markers are in all partitions before an answer is given,
/// so a transaction that was ended is over; where one cannot be written, as on a full disk, it follows later. Thread-safe.
/// </summary>
internal sealed class TransactionCoordinator : IDisposable
{
    private const int MaxTimeoutMs = 15 * 60 * 1000;
    private const short FencedVersion = 2;
    private const short EpochBumpVersion = 5;
    private const short ImplicitOffsetsVersion = 5;
    private const short BatchedVersion = 4;
    private static readonly TimeSpan IdExpiration = TimeSpan.FromDays(7);

    private readonly Lock _lock = new();
    private readonly Broker _broker;
    private readonly TransactionStateManager _transactions;
    private readonly CoordinatorTimer _timer;
    private readonly TransactionMarkers _markers;

    public TransactionCoordinator(UnifiedLog log, Broker broker)
    {
        _broker = broker;
        _transactions = new TransactionStateManager(log, broker.Time);
        _timer = new CoordinatorTimer(_lock, broker.Time, broker.Logger);
        _markers = new TransactionMarkers(_transactions, _timer, broker);
    }

    public void Dispose() => _timer.Dispose();

    /// <summary>Reads the log from its start, and ends what was being ended.</summary>
    public void Startup()
    {
        lock (_lock)
        {
            _transactions.Load();
            foreach (TransactionMetadata transaction in _transactions.All.Where(t => t.IsEnding).ToArray())
                _markers.Complete(transaction);
        }
    }

    public DescribeTransactionsResponse Describe(DescribeTransactionsRequest request)
    {
        lock (_lock)
            return _transactions.Describe(request);
    }

    public ListTransactionsResponse List(ListTransactionsRequest request)
    {
        lock (_lock)
            return _transactions.List(request);
    }

    public InitProducerIdResponse InitProducerId(InitProducerIdRequest request)
    {
        if (request.TransactionalId is not { } id)
            return new InitProducerIdResponse { ProducerId = _broker.NextProducerId(), ProducerEpoch = 0 };
        if (id.Length == 0)
            return Refuse(ErrorCode.InvalidRequest);
        if (request.TransactionTimeoutMs is <= 0 or > MaxTimeoutMs)
            return Refuse(ErrorCode.InvalidTransactionTimeout);

        lock (_lock)
        {
            TransactionMetadata present = _transactions.Find(id) ?? new TransactionMetadata(id);
            if (present.IsEnding)
                return Refuse(ErrorCode.ConcurrentTransactions);
            bool resumes = request.ProducerId >= 0;
            // A producer that names its own id and epoch goes on (KIP-360); one that was fenced meanwhile must not.
            if (resumes
                && present.ProducerEpoch >= 0
                && request.ProducerId != present.ProducerId
                && request.ProducerId != present.PreviousProducerId)
                return Refuse(ErrorCode.ProducerFenced);
            if (resumes && present.ProducerEpoch >= 0 && request.ProducerEpoch != present.ProducerEpoch)
            {
                if (request.ProducerEpoch != present.PreviousEpoch)
                    return Refuse(ErrorCode.ProducerFenced);
                // Our answer to the same request was lost.
                return new InitProducerIdResponse { ProducerId = present.ProducerId, ProducerEpoch = present.ProducerEpoch };
            }

            short previousEpoch = resumes ? request.ProducerEpoch : (short)-1;
            if (present.State == TransactionState.Ongoing)
                present = End(present with { ProducerEpoch = (short)(present.ProducerEpoch + 1) }, commit: false, bump: false);
            else if (present.ProducerId >= 0 && !present.IsEpochExhausted)
                present = present with { ProducerEpoch = (short)(present.ProducerEpoch + 1) };
            else
                present = present.Rotate(_broker.NextProducerId());
            if (present.IsEnding)
                return Refuse(ErrorCode.ConcurrentTransactions); // its markers are not written yet
            if (present.ProducerEpoch == short.MaxValue)
                present = present.Rotate(_broker.NextProducerId());
            present = _transactions.Append(present with
            {
                State = TransactionState.Empty,
                Partitions = [],
                StartedAt = -1,
                TimeoutMs = request.TransactionTimeoutMs,
                PreviousEpoch = previousEpoch,
            });
            return new InitProducerIdResponse { ProducerId = present.ProducerId, ProducerEpoch = present.ProducerEpoch };
        }
    }

    public AddPartitionsToTxnResponse AddPartitions(RequestContext context, AddPartitionsToTxnRequest request)
    {
        if (context.Version < BatchedVersion)
        {
            ILookup<string, (int Partition, ErrorCode Error)> results = Add(request.TransactionalId, request.ProducerId,
                request.ProducerEpoch, context.Version, verifyOnly: false, [.. request.Topics.Select(t => (t.Name, t.Partitions))]);
            return new AddPartitionsToTxnResponse
            {
                Results = [.. results.Select(t => new AddPartitionsToTxnResponse.TopicItem
                {
                    Name = t.Key,
                    Partitions = [.. t.Select(p =>
                        new AddPartitionsToTxnResponse.TopicItem.PartitionItem
                        {
                            PartitionIndex = p.Partition, PartitionErrorCode = (short)p.Error,
                        })],
                })],
            };
        }

        return new AddPartitionsToTxnResponse
        {
            ResultsByTransaction = request.Transactions.ConvertAll(transaction => new AddPartitionsToTxnResponse.Transaction
            {
                TransactionalId = transaction.TransactionalId,
                TopicResults = [.. Add(transaction.TransactionalId, transaction.ProducerId, transaction.ProducerEpoch, context.Version,
                    transaction.VerifyOnly, [.. transaction.Topics.Select(t => (t.Name, t.Partitions))])
                    .Select(t => new AddPartitionsToTxnResponse.Transaction.TransactionTopic
                    {
                        Name = t.Key,
                        ResultsByPartition = [.. t.Select(p =>
                            new AddPartitionsToTxnResponse.Transaction.TransactionTopic.TransactionPartition
                            {
                                PartitionIndex = p.Partition, PartitionErrorCode = (short)p.Error,
                            })],
                    })],
            }),
        };
    }

    public AddOffsetsToTxnResponse AddOffsets(RequestContext context, AddOffsetsToTxnRequest request)
    {
        lock (_lock)
        {
            ErrorCode error = request.GroupId.Length == 0
                ? ErrorCode.InvalidGroupId
                : Check(request.TransactionalId, request.ProducerId, request.ProducerEpoch, context.Version,
                    out TransactionMetadata? transaction) is var checkedError and not ErrorCode.None
                ? checkedError
                : Begin(transaction!, [TransactionMarkers.OffsetsPartition], 0);
            return new AddOffsetsToTxnResponse { ErrorCode = (short)error };
        }
    }

    public TxnOffsetCommitResponse CommitOffsets(RequestContext context, TxnOffsetCommitRequest request)
    {
        lock (_lock)
        {
            ErrorCode error = Check(request.TransactionalId, request.ProducerId, request.ProducerEpoch, context.Version,
                out TransactionMetadata? transaction);
            if (error == ErrorCode.None && context.Version >= ImplicitOffsetsVersion)
                error = Begin(transaction!, [TransactionMarkers.OffsetsPartition], TransactionMetadata.BumpingClient);
            if (error == ErrorCode.None && !(_transactions.Find(request.TransactionalId) is { State: TransactionState.Ongoing } open
                && open.Partitions.Contains(TransactionMarkers.OffsetsPartition)))
                error = ErrorCode.InvalidTxnState;
            // Of this request an old epoch is told as such; only later versions of other requests know the fenced error.
            if (error == ErrorCode.ProducerFenced)
                error = ErrorCode.InvalidProducerEpoch;
            return _broker.Groups.CommitTransactionalOffsets(request, error);
        }
    }

    public EndTxnResponse EndTransaction(RequestContext context, EndTxnRequest request)
    {
        bool bumps = context.Version >= EpochBumpVersion;
        TransactionState done = request.Committed ? TransactionState.CompleteCommit : TransactionState.CompleteAbort;
        lock (_lock)
        {
            if (_transactions.TryFind(request.TransactionalId, out TransactionMetadata? ending)
                && ending.IsEnding
                && IsOf(ending, request, bumps))
                return new EndTxnResponse { ErrorCode = (short)(request.Committed == (ending.State == TransactionState.PrepareCommit)
                    ? ErrorCode.ConcurrentTransactions
                    : ErrorCode.InvalidTxnState) };
            if (bumps && _transactions.TryFind(request.TransactionalId, out TransactionMetadata? ended) && IsRepeated(ended, request))
                return ended.State == done
                    ? new EndTxnResponse { ProducerId = ended.ProducerId, ProducerEpoch = ended.ProducerEpoch }
                    : new EndTxnResponse { ErrorCode = (short)ErrorCode.InvalidTxnState };
            ErrorCode error = Check(request.TransactionalId, request.ProducerId, request.ProducerEpoch, context.Version,
                out TransactionMetadata? transaction);
            if (error != ErrorCode.None)
                return new EndTxnResponse { ErrorCode = (short)error };
            if (transaction!.State == TransactionState.Ongoing || (bumps && !request.Committed))
                transaction = End(transaction, request.Committed, bumps);
            else if (bumps || transaction.State != done)
                return new EndTxnResponse { ErrorCode = (short)ErrorCode.InvalidTxnState };
            return new EndTxnResponse { ProducerId = transaction.ProducerId, ProducerEpoch = transaction.ProducerEpoch };
        }
    }

    /// <summary>
    /// Whether a transactional batch may be appended: its producer must not be fenced, and the partition must be in its transaction. Where
    /// <paramref name="implicitly"/> says so, producing adds the partition (KIP-890).
    /// </summary>
    public ErrorCode CheckProduce(string? transactionalId, long producerId, short producerEpoch, TopicPartition partition, bool implicitly)
    {
        lock (_lock)
        {
            if (_transactions.FindByProducer(producerId) is not { } transaction
                || (transactionalId is not null && transaction.Id != transactionalId))
                return ErrorCode.InvalidProducerIdMapping;
            if (producerEpoch != transaction.ProducerEpoch)
                return ErrorCode.InvalidProducerEpoch;
            if (transaction.State == TransactionState.Ongoing && transaction.Partitions.Contains(partition))
                return ErrorCode.None;
            return implicitly ? Begin(transaction, [partition], TransactionMetadata.BumpingClient) : ErrorCode.InvalidTxnState;
        }
    }

    /// <summary>Aborts transactions whose time is over, which fences their producers; forgets ids that nobody used for long.</summary>
    public void AbortExpired()
    {
        lock (_lock)
        {
            long now = Now();
            try
            {
                foreach (TransactionMetadata transaction in _transactions.All.ToArray())
                {
                    if (transaction.State == TransactionState.Ongoing && now - transaction.StartedAt >= transaction.TimeoutMs)
                        End(transaction with { ProducerEpoch = (short)(transaction.ProducerEpoch + 1) }, commit: false, bump: false);
                    else if (transaction.State != TransactionState.Ongoing
                        && !transaction.IsEnding
                        && now - transaction.UpdatedAt > IdExpiration.TotalMilliseconds)
                        _transactions.Forget(transaction);
                }
            }
            catch (Exception fault) when (StorageHealth.IsFault(fault))
            {
                // The log reports its fault itself; what is over is so the next time, too.
            }
        }
    }

    private static InitProducerIdResponse Refuse(ErrorCode error) => new() { ErrorCode = (short)error };

    // The answer to the same request was lost: the epoch has moved by the bump that it caused, or the id was changed because its epochs
    // were used up.
    private static bool IsRepeated(TransactionMetadata ended, EndTxnRequest request) =>
        ended.State is TransactionState.CompleteCommit or TransactionState.CompleteAbort
        && ((request.ProducerId == ended.ProducerId && request.ProducerEpoch == ended.ProducerEpoch - 1)
            || (request.ProducerId == ended.PreviousProducerId && ended.ProducerEpoch == 0));

    // The request that ends it, sent again while the markers are being written.
    private static bool IsOf(TransactionMetadata ending, EndTxnRequest request, bool bumps) =>
        request.ProducerId == ending.ProducerId
            && (request.ProducerEpoch == ending.ProducerEpoch || (bumps && request.ProducerEpoch == ending.ProducerEpoch - 1));

    private long Now() => _broker.Time.GetUtcNow().ToUnixTimeMilliseconds();

    private ErrorCode Check(string id, long producerId, short epoch, short version, out TransactionMetadata? transaction)
    {
        if (!_transactions.TryFind(id, out transaction) || transaction.ProducerId != producerId)
            return ErrorCode.InvalidProducerIdMapping;
        if (epoch != transaction.ProducerEpoch)
            return version >= FencedVersion ? ErrorCode.ProducerFenced : ErrorCode.InvalidProducerEpoch;
        return ErrorCode.None;
    }

    private ILookup<string, (int Partition, ErrorCode Error)> Add(
        string id, long producerId, short epoch, short version, bool verifyOnly, List<(string Topic, List<int> Partitions)> topics)
    {
        lock (_lock)
        {
            ErrorCode error = Check(id, producerId, epoch, version, out TransactionMetadata? transaction);
            TopicPartition[] wanted = [.. topics.SelectMany(t => t.Partitions.Select(p => new TopicPartition(t.Topic, p)))];
            bool missing = wanted.Any(p => _broker.Logs.Get(p) is null);
            if (error == ErrorCode.None && !missing && !verifyOnly)
                error = Begin(transaction!, wanted, 0);
            ErrorCode Of(TopicPartition partition) =>
                error != ErrorCode.None ? error
                : _broker.Logs.Get(partition) is null ? ErrorCode.UnknownTopicOrPartition
                : missing ? ErrorCode.OperationNotAttempted
                : verifyOnly && !(transaction!.State == TransactionState.Ongoing && transaction.Partitions.Contains(partition))
                ? ErrorCode.TransactionAbortable
                : ErrorCode.None;
            return wanted.ToLookup(p => p.Topic, p => (p.Partition, Of(p)));
        }
    }

    // Adds partitions to the transaction, and begins one where none is open.
    private ErrorCode Begin(TransactionMetadata transaction, IReadOnlyCollection<TopicPartition> partitions, short clientVersion)
    {
        if (transaction.IsEnding)
            return ErrorCode.ConcurrentTransactions;
        TransactionMetadata next = transaction.State == TransactionState.Ongoing
            ? transaction with { Partitions = transaction.Partitions.Union(partitions) }
            : transaction with
            {
                State = TransactionState.Ongoing,
                StartedAt = Now(),
                Partitions = [.. partitions],
                ClientVersion = clientVersion,
            };
        if (next.State != transaction.State || next.Partitions.Count != transaction.Partitions.Count)
            _transactions.Append(next);
        return ErrorCode.None;
    }

    // From the first write on the outcome is decided; the markers follow, now or at recovery.
    private TransactionMetadata End(TransactionMetadata transaction, bool commit, bool bump)
    {
        TransactionMetadata ending = transaction with
        {
            State = commit ? TransactionState.PrepareCommit : TransactionState.PrepareAbort,
            ProducerEpoch = bump ? (short)(transaction.ProducerEpoch + 1) : transaction.ProducerEpoch,
            PreviousEpoch = bump ? transaction.ProducerEpoch : transaction.PreviousEpoch,
            // An abort of nothing has a start as well: Kafka's coordinator fails over an ended transaction without one.
            StartedAt = transaction.State == TransactionState.Ongoing ? transaction.StartedAt : Now(),
            ClientVersion = bump ? TransactionMetadata.BumpingClient : transaction.ClientVersion,
        };
        TransactionMetadata decided = _transactions.Append(ending);
        return _markers.Write(decided);
    }
}
