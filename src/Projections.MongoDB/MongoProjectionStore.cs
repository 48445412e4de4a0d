using Microsoft.Extensions.Logging;
using MongoDB.Bson;
using MongoDB.Driver;
using MongoDB.Driver.Core.Servers;
using Polly;
using Polly.Retry;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// Read models and checkpoints in MongoDB: documents and checkpoints of a batch in one transaction. A failure that can pass (the server is
/// away, a failover, a write conflict) is retried with back-off and jitter until it passes or the caller gives up; others throw.
/// Thread-safe.
/// </summary>
/// <remarks>Transaction semantics and error labels: MongoDB's specification "Driver Transactions".</remarks>
public sealed partial class MongoProjectionStore : IProjectionStore, IDisposable
{
    private const int WriteConflict = 112;
    private const int OutOfDiskSpace = 14031;

    private const int MaxKeysPerFind = 10_000;
    private const int DuplicateKey = 11000;

    private readonly MongoProjectionOptions _options;
    private readonly MongoClient _client;
    private readonly IMongoDatabase _database;
    private readonly IMongoCollection<BsonDocument> _checkpoints;
    private readonly ReadModelRegister _register;
    private readonly ResiliencePipeline _retry;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private volatile string? _failure;

    /// <summary>Creates the store; connects on first use.</summary>
    /// <exception cref="InvalidInputException">The options are unusable.</exception>
    public MongoProjectionStore(MongoProjectionOptions options, TimeProvider timeProvider, ILogger<MongoProjectionStore> logger)
    {
        options.Validate();
        (_options, _time, _logger) = (options, timeProvider, logger);
        MongoClientSettings settings = MongoAddress.Parse(options.ConnectionString);
        settings.ApplicationName ??= "KafkaEventSourcing projections";
        _client = new MongoClient(settings);
        _database = _client.GetDatabase(options.Database);
        _checkpoints = _database.GetCollection<BsonDocument>(options.CheckpointCollection);
        _register = new ReadModelRegister(_database, _checkpoints);
        _retry = new ResiliencePipelineBuilder { TimeProvider = timeProvider }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = attempt =>
                {
                    if (attempt.Outcome.Exception is null)
                        _failure = null;
                    return ValueTask.FromResult(attempt.Outcome.Exception is { } failure && MayPass(failure));
                },
                MaxRetryAttempts = int.MaxValue,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = options.RetryDelay,
                MaxDelay = options.MaxRetryDelay,
                OnRetry = retry =>
                {
                    ProjectionStoreTelemetry.Retried();
                    if (retry.Outcome.Exception is MongoCommandException { Code: WriteConflict })
                        LogConflict(_logger, retry.AttemptNumber + 1, retry.RetryDelay);
                    else
                    {
                        _failure = retry.Outcome.Exception?.Message;
                        LogRetry(_logger, retry.AttemptNumber + 1, retry.RetryDelay, retry.Outcome.Exception);
                    }

                    return default;
                },
            })
            .Build();
    }

    /// <summary>Whether MongoDB answers and takes writes, as far as the driver knows from its last look.</summary>
    public bool IsConnected =>
        _client.Cluster.Description.Servers.Any(s =>
            s.State == ServerState.Connected
                && s.Type is ServerType.ReplicaSetPrimary or ServerType.Standalone or ServerType.ShardRouter or ServerType.LoadBalanced);

    /// <summary>What MongoDB refuses that is being tried again, such as writes on a full disk; null: nothing.</summary>
    public string? Failure => _failure;

    /// <summary>The database, for queries.</summary>
    public IMongoDatabase Database => _database;

    /// <inheritdoc/>
    public async Task PrepareAsync(IReadOnlyList<ProjectionDefinition> projections, CancellationToken cancellationToken = default)
    {
        foreach (ProjectionDefinition projection in projections)
            DocumentConventions.Apply(projection.DocumentType);

        await MongoReplicaSet.Check(MongoAddress.Parse(_options.ConnectionString), cancellationToken).ConfigureAwait(false);
        // Not the collections of the read models: which one has the documents of a build is noted when it begins. An index that MongoDB
        // refuses is told now.
        await _retry.ExecuteAsync(async token =>
        {
            await _register.Create(_options.CheckpointCollection, token).ConfigureAwait(false);
            foreach (ProjectionDefinition projection in projections)
            {
                if (await _register.Load(projection.Name, token).ConfigureAwait(false) is not { HasDocuments: true })
                    continue;
                await _register.CreateIndexes(projection, token).ConfigureAwait(false);
                if (await _register.ChangeOf(projection, token).ConfigureAwait(false) is { } change)
                    LogDefinitionChanged(_logger, projection.Name, change,
                        $"db.{_options.CheckpointCollection}.deleteMany({{_id: /^{projection.Name}($|\\/)/}})");
            }
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<ReadModelState?> LoadStateAsync(ProjectionDefinition projection, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(projection);
        return await _retry.ExecuteAsync(async token =>
        {
            ReadModelState? state = await _register.Load(projection.Name, token).ConfigureAwait(false);
            try
            {
                if (state is { HasDocuments: true })
                    await _register.CreateIndexes(projection, token).ConfigureAwait(false); // somebody may have dropped one
            }
            catch (MongoCommandException refused) when (!MayPass(refused))
            {
                LogIndexRefused(_logger, projection.Name, refused.Message); // queries are slow without it; documents are right
            }

            return state;
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Whether queries of <paramref name="projection"/> see all that there was when it was begun; not while it is being built. A MongoDB
    /// that is away throws at once.
    /// </summary>
    public Task<bool> IsWholeAsync(ProjectionDefinition projection, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(projection);
        return _register.IsWhole(projection.Name, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ReadModelCheckpoint?> LoadCheckpointAsync(
        ProjectionDefinition projection, EventPartition partition, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(projection);
        string id = Checkpoint.IdOf(projection.Name, partition);
        BsonDocument? stored = await _retry.ExecuteAsync(
            async token => await _checkpoints.Find(new BsonDocument("_id", id)).FirstOrDefaultAsync(token).ConfigureAwait(false),
            cancellationToken).ConfigureAwait(false);
        return stored is null ? null : Checkpoint.Read(stored);
    }

    /// <inheritdoc/>
    public async Task<bool> StartAnewAsync(
        ProjectionDefinition projection, SeenReadModel seen, IReadOnlyDictionary<EventPartition, long> until,
        IReadOnlyCollection<string> aggregates, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(projection);
        Guid build = Guid.CreateVersion7(_time.GetUtcNow());
        bool begun = false;
        try
        {
            await InTransaction(async (session, token) =>
                begun = await _register.Begin(session, projection, seen, build, until, aggregates, token).ConfigureAwait(false),
                cancellationToken).ConfigureAwait(false);
        }
        catch (MongoWriteException first) when (first.WriteError?.Code == DuplicateKey)
        {
            return false; // another node was first
        }

        return begun && await _retry.ExecuteAsync(async token => await _register.Clear(projection, build, token).ConfigureAwait(false),
            cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task CompleteAsync(ProjectionDefinition projection, Guid build, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(projection);
        await _retry.ExecuteAsync(async token => await _register.Complete(projection.Name, build, token).ConfigureAwait(false),
            cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, StoredDocument<TDocument>>> LoadAsync<TDocument>(
        ProjectionDefinition<TDocument> projection, IReadOnlyCollection<string> keys, CancellationToken cancellationToken = default)
        where TDocument : class
    {
        ArgumentNullException.ThrowIfNull(projection);
        var mapping = CollectionMapping<TDocument>.Instance;
        IMongoCollection<RawBsonDocument> collection = _database.GetCollection<RawBsonDocument>(projection.Name);
        var documents = new Dictionary<string, StoredDocument<TDocument>>(keys.Count);
        foreach (string[] chunk in keys.Chunk(MaxKeysPerFind))
        {
            // Not by the driver's builder, which for raw documents throws and catches an exception for every key.
            var filter = new BsonDocument("_id", new BsonDocument("$in", new BsonArray(chunk)));
            List<RawBsonDocument> found = await _retry.ExecuteAsync(
                async token => await collection.Find(filter).ToListAsync(token).ConfigureAwait(false),
                cancellationToken).ConfigureAwait(false);
            foreach (RawBsonDocument raw in found)
            {
                StoredDocument<TDocument> stored = DocumentVersion.Read<TDocument>(raw);
                documents.Add(mapping.KeyOf(stored.Document!), stored);
            }
        }

        return documents;
    }

    /// <inheritdoc/>
    public async Task<long> CommitAsync(IReadOnlyList<DocumentChanges> changes, IReadOnlyList<CheckpointMove> checkpoints,
        CancellationToken cancellationToken = default)
    {
        var writes = new List<IDocumentWrite>(changes.Count);
        foreach (DocumentChanges change in changes)
            writes.Add(change.Projection.Accept(new WriteOf(change)));

        try
        {
            await Commit(writes, checkpoints, cancellationToken).ConfigureAwait(false);
        }
        catch (DocumentWriteException present) when (present.Code == DuplicateKey && writes.Exists(w => w.TrustsNew))
        {
            foreach (IDocumentWrite write in writes.Where(w => w.TrustsNew))
            {
                if (await _retry.ExecuteAsync(async token => await write.IsOfAnotherWriter(_database, token).ConfigureAwait(false),
                    cancellationToken).ConfigureAwait(false))
                    throw new DocumentsChangedException(write.Projection);
            }

            // A document that the fold believed new is there: somebody else wrote into the read model. What the events say counts.
            LogForeignDocument(_logger, present.Message);
            await CommitOver(writes, checkpoints, cancellationToken).ConfigureAwait(false);
        }

        return writes.Sum(w => w.Bytes);
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _client.Dispose();

    private async Task CommitOver(List<IDocumentWrite> writes, IReadOnlyList<CheckpointMove> checkpoints,
        CancellationToken cancellationToken)
    {
        try
        {
            await Commit(writes.ConvertAll(w => w.TrustsNew ? w.AsUpserts() : w), checkpoints, cancellationToken).ConfigureAwait(false);
        }
        catch (DocumentWriteException written) when (written.Code == DuplicateKey)
        {
            throw new DocumentsChangedException(writes.First(w => w.TrustsNew).Projection); // by another engine, meanwhile
        }
    }

    private Task Commit(List<IDocumentWrite> writes, IReadOnlyList<CheckpointMove> checkpoints, CancellationToken cancellationToken) =>
        InTransaction(async (session, token) =>
        {
            // Checkpoints first: a batch that was written already must fail here, not on its documents.
            await Move(session, checkpoints, token).ConfigureAwait(false);
            foreach (IDocumentWrite write in writes)
                await write.Apply(_database, session, token).ConfigureAwait(false);
        }, cancellationToken);

    private async Task InTransaction(Func<IClientSessionHandle, CancellationToken, Task> write, CancellationToken cancellationToken) =>
        await _retry.ExecuteAsync(async token =>
        {
            using IClientSessionHandle session = await _client.StartSessionAsync(cancellationToken: token).ConfigureAwait(false);
            session.StartTransaction(new TransactionOptions(ReadConcern.Snapshot, ReadPreference.Primary, WriteConcern.WMajority));
            try
            {
                await write(session, token).ConfigureAwait(false);
            }
            catch
            {
                await Abort(session).ConfigureAwait(false);
                throw;
            }

            await session.CommitTransactionAsync(token).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);

    private async Task Move(IClientSessionHandle session, IReadOnlyList<CheckpointMove> moves, CancellationToken cancellationToken)
    {
        var models = new WriteModel<BsonDocument>[moves.Count];
        int updates = 0;
        for (int i = 0; i < models.Length; i++)
        {
            CheckpointMove move = moves[i];
            if (move.From is not { } from)
            {
                // A write, not a look: a build that begins at the same time conflicts with it.
                if (!await _register.AddPartition(session, move.Projection, move.Build, move.Partition,
                    cancellationToken).ConfigureAwait(false))
                    throw new CheckpointMovedException(move);
                models[i] = new InsertOneModel<BsonDocument>(Checkpoint.First(move));
                continue;
            }

            updates++;
            models[i] = new UpdateOneModel<BsonDocument>(
                new BsonDocument
                {
                    { "_id", Checkpoint.IdOf(move.Projection, move.Partition) },
                    { Checkpoint.NextOffset, from },
                    { Checkpoint.Build, Checkpoint.Binary(move.Build) },
                },
                new BsonDocument("$set", Checkpoint.Position(move)));
        }

        try
        {
            BulkWriteResult<BsonDocument> result = await _checkpoints.BulkWriteAsync(session, models,
                cancellationToken: cancellationToken).ConfigureAwait(false);
            if (result.MatchedCount != updates)
                throw new CheckpointMovedException(moves.First(m => m.From is not null));
        }
        catch (MongoBulkWriteException<BsonDocument> failed) when (failed.WriteErrors.Any(e => e.Code == DuplicateKey))
        {
            throw new CheckpointMovedException(moves[failed.WriteErrors.First(e => e.Code == DuplicateKey).Index]);
        }
    }

    private async Task Abort(IClientSessionHandle session)
    {
        try
        {
            // Not the caller's token: a cancelled batch must still give up its locks.
            await session.AbortTransactionAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception failed) when (failed is MongoException or TimeoutException)
        {
            // The server aborts the transaction by itself when it cannot be told; the first error is the one that counts.
            LogAbortFailed(_logger, failed);
        }
    }

    private static bool MayPass(Exception failure) => failure switch
    {
        MongoAuthenticationException => false,
        MongoException labelled when labelled.HasErrorLabel("TransientTransactionError")
            || labelled.HasErrorLabel("UnknownTransactionCommitResult") || labelled.HasErrorLabel("RetryableWriteError") => true,
        MongoConnectionException or MongoNotPrimaryException or MongoNodeIsRecoveringException or MongoExecutionTimeoutException => true,
        MongoCommandException { Code: OutOfDiskSpace } => true, // until somebody makes space
        TimeoutException => true, // no server could be selected in time
        _ => false,
    };

    // Nodes whose partitions share a document meet there now and then: no fault.
    [LoggerMessage(Level = LogLevel.Debug, Message = "Another node writes the same document; retry {Attempt} in {Delay}")]
    private static partial void LogConflict(ILogger logger, int attempt, TimeSpan delay);

    [LoggerMessage(Level = LogLevel.Warning, Message = "MongoDB failed; retry {Attempt} in {Delay}")]
    private static partial void LogRetry(ILogger logger, int attempt, TimeSpan delay, Exception? failure);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A document that should be new is stored already and is replaced: {Reason}")]
    private static partial void LogForeignDocument(ILogger logger, string reason);

    // Not built anew by itself: it may take hours, and whoever only added a field for later need not have it.
    [LoggerMessage(Level = LogLevel.Warning, Message =
        "The read model {ReadModel} is defined otherwise than when its documents were folded ({Difference}). They stay as they are, and "
            + "new events are folded by the new definition. To have all of them folded anew: {Remedy}")]
    private static partial void LogDefinitionChanged(ILogger logger, string readModel, string difference, string remedy);

    [LoggerMessage(Level = LogLevel.Warning, Message = "MongoDB refuses an index of {ReadModel}: {Reason}")]
    private static partial void LogIndexRefused(ILogger logger, string readModel, string reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "A MongoDB transaction could not be aborted; the server will do it")]
    private static partial void LogAbortFailed(ILogger logger, Exception failure);

    /// <summary>Makes the typed write of a change.</summary>
    private readonly struct WriteOf(DocumentChanges changes) : IProjectionVisitor<IDocumentWrite>
    {
        public IDocumentWrite Visit<TDocument>(ProjectionDefinition<TDocument> projection)
            where TDocument : class =>
            DocumentWrite<TDocument>.Of((DocumentChanges<TDocument>)changes);
    }
}
