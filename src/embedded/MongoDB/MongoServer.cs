using System.Globalization;
using KafkaEventSourcing.Embedded.MongoDB.Commands;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using Microsoft.Extensions.Logging;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB;

/// <summary>Runs commands: in sessions, in transactions, once where they are sent again; and what they share.</summary>
internal sealed partial class MongoServer : IDisposable
{
    private readonly ILogger _logger;
    private bool _isFaulty;

    public MongoServer(string directory, EmbeddedMongoDBOptions options, TimeProvider time, ILogger logger)
    {
        (Time, _logger) = (time, logger);
        Store = new DocumentStore(directory, options);
        Cursors = new CursorTable(time);
        Operations = new OperationTable(time);
        Sessions = new SessionTable(Store, time);
    }

    public DocumentStore Store { get; }

    public CursorTable Cursors { get; }

    public OperationTable Operations { get; }

    public SessionTable Sessions { get; }

    public TimeProvider Time { get; }

    public ObjectId ElectionId { get; } = ObjectId.GenerateNewId();

    /// <summary>host:port, as the replica set names its member.</summary>
    public string Address { get; set; } = "";

    /// <summary>Ends everything that runs.</summary>
    public void Stop() => Operations.Stop();

    /// <summary>Answers a command; never throws.</summary>
    public async Task<BsonDocument> Run(BsonDocument command, Dictionary<string, List<ReadOnlyMemory<byte>>> sequences,
        Func<bool> isClientGone)
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
        catch (Exception malformed) when (malformed is InvalidCastException or KeyNotFoundException or FormatException or ArgumentException
            or OverflowException)
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
        Sessions.Dispose();
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

    private async Task<BsonDocument> Dispatch(CommandContext context)
    {
        BsonDocument command = context.Command;
        if (!command.TryGetValue("lsid", out BsonValue lsid))
            return await Run(context).ConfigureAwait(false);

        Session session = Sessions.Of(lsid.AsBsonDocument);
        await session.Turn.WaitAsync(context.Operation.Token).ConfigureAwait(false);
        try
        {
            switch (context.Name)
            {
                case "commitTransaction":
                    Sessions.Commit(session, command);
                    return [];
                case "abortTransaction":
                    Sessions.Abort(session, command);
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
        context.Transaction = Sessions.Transaction(session, context.Command);
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
            throw new MongoCommandException(MongoErrorCode.TransactionTooOld,
                $"Retryable write with txnNumber {number} is prohibited on session because a newer retryable write with "
                    + $"txnNumber {session.TransactionNumber} has already started on this session.");
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
        if (CommandTable.Find(context.Name) is not { } run)
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
