using System.Globalization;
using KafkaEventSourcing.Embedded.MongoDB.Commands;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using Microsoft.Extensions.Logging;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB;

/// <summary>The table of commands, and what they share.</summary>
internal sealed partial class MongoServer : IDisposable
{
    private const int MaxWireVersion = 21; // MongoDB 7.0
    private const string Version = "7.0.0";
    private const string SetName = "kes";

    private readonly Dictionary<string, Func<CommandContext, Task<BsonDocument>>> _commands = new(StringComparer.OrdinalIgnoreCase);
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SessionTable _sessions;
    private bool _isFaulty;
    private readonly ObjectId _electionId = ObjectId.GenerateNewId();

    public MongoServer(string directory, EmbeddedMongoDBOptions options, TimeProvider time, ILogger logger)
    {
        (_time, _logger) = (time, logger);
        Store = new DocumentStore(directory, options);
        Cursors = new CursorTable(time);
        Operations = new OperationTable(time);
        _sessions = new SessionTable(Store, time);
        Add("find", ReadCommands.Find);
        Add("aggregate", ReadCommands.Aggregate);
        Add("count", ReadCommands.Count);
        Add("distinct", ReadCommands.Distinct);
        Add("getMore", ReadCommands.GetMore);
        Add("killCursors", ReadCommands.KillCursors);
        Add("explain", ReadCommands.Explain);
        _commands.Add("insert", WriteCommands.Insert);
        _commands.Add("update", WriteCommands.Update);
        _commands.Add("delete", WriteCommands.Delete);
        _commands.Add("findAndModify", WriteCommands.FindAndModify);
        Add("create", AdminCommands.Create);
        Add("drop", AdminCommands.Drop);
        Add("dropDatabase", AdminCommands.DropDatabase);
        Add("renameCollection", AdminCommands.RenameCollection);
        Add("listCollections", AdminCommands.ListCollections);
        Add("listIndexes", AdminCommands.ListIndexes);
        Add("createIndexes", AdminCommands.CreateIndexes);
        Add("dropIndexes", AdminCommands.DropIndexes);
        Add("listDatabases", AdminCommands.ListDatabases);
        Add("collStats", AdminCommands.CollStats);
        Add("hello", _ => Hello());
        Add("isMaster", _ => Hello());
        Add("ping", _ => []);
        Add("buildInfo", _ => new BsonDocument { { "version", Version }, { "versionArray", new BsonArray { 7, 0, 0, 0 } }, { "gitVersion", "embedded" }, { "modules", new BsonArray() }, { "bits", 64 }, { "maxBsonObjectSize", 16777216 }, { "storageEngines", new BsonArray { "rocksdb" } } });
        Add("getParameter", _ => new BsonDocument("featureCompatibilityVersion", new BsonDocument("version", "7.0")));
        Add("connectionStatus", _ => new BsonDocument("authInfo", new BsonDocument { { "authenticatedUsers", new BsonArray() }, { "authenticatedUserRoles", new BsonArray() } }));
        Add("serverStatus", _ => new BsonDocument { { "host", Address }, { "version", Version }, { "process", "mongod" }, { "ok", 1.0 } });
        Add("hostInfo", _ => new BsonDocument("system", new BsonDocument("hostname", Environment.MachineName)));
        Add("getLog", _ => new BsonDocument { { "totalLinesWritten", 0 }, { "log", new BsonArray() } });
        Add("getCmdLineOpts", _ => new BsonDocument { { "argv", new BsonArray() }, { "parsed", new BsonDocument() } });
        Add("whatsmyuri", _ => new BsonDocument("you", Address));
        Add("startSession", _ => new BsonDocument { { "id", new BsonDocument("id", new BsonBinaryData(Guid.CreateVersion7(time.GetUtcNow()), GuidRepresentation.Standard)) }, { "timeoutMinutes", 30 } });
        Add("refreshSessions", _ => []);
        Add("endSessions", EndSessions);
        Add("killSessions", EndSessions);
        Add("currentOp", _ => new BsonDocument("inprog", Operations.ToBson()));
        Add("killOp", c =>
        {
            Operations.Kill(OperationTable.IdOf(c.Command.GetValue("op", BsonNull.Value)));
            return new BsonDocument("info", "attempting to kill op");
        });
    }

    public DocumentStore Store { get; }

    public CursorTable Cursors { get; }

    public OperationTable Operations { get; }

    /// <summary>host:port, as the replica set names its member.</summary>
    public string Address { get; set; } = "";

    public BsonDocument Hello() => new()
    {
        { "helloOk", true },
        { "ismaster", true },
        { "isWritablePrimary", true },
        { "secondary", false },
        { "setName", SetName },
        { "setVersion", 1 },
        { "electionId", _electionId },
        { "hosts", new BsonArray { Address } },
        { "primary", Address },
        { "me", Address },
        { "maxBsonObjectSize", 16777216 },
        { "maxMessageSizeBytes", 48000000 },
        { "maxWriteBatchSize", 100000 },
        { "localTime", new BsonDateTime(_time.GetUtcNow().UtcDateTime) },
        { "logicalSessionTimeoutMinutes", 30 },
        { "minWireVersion", 0 },
        { "maxWireVersion", MaxWireVersion },
        { "readOnly", false },
    };

    /// <summary>Ends everything that runs.</summary>
    public void Stop() => Operations.Stop();

    /// <summary>Answers a command; never throws.</summary>
    public async Task<BsonDocument> Run(BsonDocument command, Dictionary<string, List<ReadOnlyMemory<byte>>> sequences, Func<bool> isClientGone)
    {
        Operation operation = Operations.Begin(command, isClientGone);
        try
        {
            var context = new CommandContext(this, command, sequences, operation);
            if (MaxTimeOf(command) is { } limit)
                operation.Limit(limit);
            BsonDocument reply = await Dispatch(context).ConfigureAwait(false);
            reply["ok"] = 1.0;
            return reply;
        }
        catch (OperationCanceledException) when (operation.Token.IsCancellationRequested)
        {
            MongoCommandException ended = operation.Error();
            return Error(ended.Code, ended.Message, ended);
        }
        catch (MongoCommandException refused)
        {
            return Error(refused.Code, refused.Message, refused);
        }
        catch (Exception malformed) when (malformed is InvalidCastException or KeyNotFoundException or FormatException or ArgumentException or OverflowException)
        {
            return Error(MongoErrorCode.BadValue, $"The command {command.GetElement(0).Name} is malformed: {malformed.Message}");
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            LogFailed(_logger, failure, command.GetElement(0).Name);
            return Error(MongoErrorCode.InternalError, failure.Message);
        }
        finally
        {
            Operations.End(operation);
            TellOfStorage();
        }
    }

    public void Dispose()
    {
        Operations.Dispose();
        Cursors.Dispose();
        _sessions.Dispose();
        Store.Dispose();
    }

    private static BsonDocument Error(MongoErrorCode code, string message, MongoCommandException? refused = null)
    {
        var reply = new BsonDocument
        {
            { "ok", 0.0 },
            { "errmsg", message },
            { "code", (int)code },
            { "codeName", Enum.IsDefined(code) ? code.ToString() : string.Create(CultureInfo.InvariantCulture, $"Location{(int)code}") },
        };
        if (refused is { Labels.Length: > 0 })
            reply.Add("errorLabels", new BsonArray(refused.Labels));
        return reply;
    }

    // Once when it begins and once when it is over: clients try again all the time.
    private void TellOfStorage()
    {
        string? fault = Store.StorageFault;
        bool wasFaulty = Interlocked.Exchange(ref _isFaulty, fault is not null);
        if (fault is not null && !wasFaulty)
            LogCannotWrite(_logger, fault);
        else if (fault is null && wasFaulty)
            LogWritesAgain(_logger);
    }

    private void Add(string name, Func<CommandContext, BsonDocument> run) => _commands.Add(name, context => Task.FromResult(run(context)));

    private async Task<BsonDocument> Dispatch(CommandContext context)
    {
        BsonDocument command = context.Command;
        if (!command.TryGetValue("lsid", out BsonValue lsid))
            return await Run(context).ConfigureAwait(false);

        Session session = _sessions.Of(lsid.AsBsonDocument);
        await session.Turn.WaitAsync(context.Operation.Token).ConfigureAwait(false);
        try
        {
            switch (context.Name)
            {
                case "commitTransaction":
                    _sessions.Commit(session, command);
                    return [];
                case "abortTransaction":
                    _sessions.Abort(session, command);
                    return [];
            }

            if (command.TryGetValue("autocommit", out _))
                return await RunInTransaction(context, session).ConfigureAwait(false);
            return command.TryGetValue("txnNumber", out BsonValue number)
                ? await RunOnce(context, session, number.ToInt64()).ConfigureAwait(false)
                : await Run(context).ConfigureAwait(false);
        }
        finally
        {
            session.Turn.Release();
        }
    }

    private async Task<BsonDocument> RunInTransaction(CommandContext context, Session session)
    {
        context.Transaction = _sessions.Transaction(session, context.Command);
        try
        {
            BsonDocument reply = await Run(context).ConfigureAwait(false);
            if (reply.Contains("writeErrors"))
                SessionTable.Abort(session);
            return reply;
        }
        catch
        {
            SessionTable.Abort(session);
            throw;
        }
    }

    // A retryable write that is sent again gets its first answer.
    private async Task<BsonDocument> RunOnce(CommandContext context, Session session, long number)
    {
        if (number < session.TransactionNumber)
            throw new MongoCommandException(MongoErrorCode.TransactionTooOld, $"Retryable write with txnNumber {number} is prohibited on session because a newer retryable write with txnNumber {session.TransactionNumber} has already started on this session.");
        if (number == session.TransactionNumber && session.LastReply is { } reply)
            return reply.DeepClone().AsBsonDocument;
        SessionTable.Abort(session);
        BsonDocument first = await Run(context).ConfigureAwait(false);
        session.TransactionNumber = number;
        session.LastReply = first.DeepClone().AsBsonDocument;
        return first;
    }

    private Task<BsonDocument> Run(CommandContext context)
    {
        if (!_commands.TryGetValue(context.Name, out Func<CommandContext, Task<BsonDocument>>? run))
            throw new MongoCommandException(MongoErrorCode.CommandNotFound, $"no such command: '{context.Name}'");
        Operation.Current = context.Operation;
        try
        {
            Operation.Check();
            return run(context);
        }
        finally
        {
            Operation.Current = null;
        }
    }

    private BsonDocument EndSessions(CommandContext context)
    {
        foreach (BsonDocument id in context.Command[0].AsBsonArray.Cast<BsonDocument>())
        {
            if (context.Name.Equals("killSessions", StringComparison.OrdinalIgnoreCase))
                Operations.KillOf(id["id"]);
            Cursors.KillOf(id["id"]);
            _sessions.End(id);
        }

        return [];
    }

    // Null: no limit. Of getMore it is for cursors that wait for data only, which there are none of.
    private static TimeSpan? MaxTimeOf(BsonDocument command)
    {
        if (!command.TryGetValue("maxTimeMS", out BsonValue given))
            return null;
        if (!given.IsNumeric || given.ToDouble() is var number && (number != Math.Truncate(number) || number < 0 || number > int.MaxValue))
            throw new MongoCommandException(MongoErrorCode.BadValue, $"maxTimeMS has a value that it cannot have: {given}");
        if (command.GetElement(0).Name == "getMore")
            throw new MongoCommandException(MongoErrorCode.BadValue, "cannot set maxTimeMS on getMore command for a non-awaitData cursor");
        return given.ToInt64() == 0 ? null : TimeSpan.FromMilliseconds(given.ToInt64());
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "MongoDB cannot write, and refuses what writes until it can: {Fault}")]
    private static partial void LogCannotWrite(ILogger logger, string fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "MongoDB can write again")]
    private static partial void LogWritesAgain(ILogger logger);

    [LoggerMessage(Level = LogLevel.Error, Message = "The command {Command} failed")]
    private static partial void LogFailed(ILogger logger, Exception failure, string command);
}
