using System.Collections.Concurrent;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>What a session is doing: its transaction, and the answer to its last retryable write.</summary>
internal sealed class Session
{
    /// <summary>One command of a session at a time.</summary>
    public SemaphoreSlim Turn { get; } = new(1, 1);

    public long TransactionNumber { get; set; } = -1;

    public StoreTransaction? Transaction { get; set; }

    /// <summary>Whether the transaction of the present number was committed: a commit that is sent again is answered again.</summary>
    public bool Committed { get; set; }

    public BsonDocument? LastReply { get; set; }

    public DateTimeOffset LastUsed { get; set; }
}

/// <summary>Sessions, by their ids (MongoDB, "Driver Sessions", "Driver Transactions", "Retryable Writes").</summary>
internal sealed class SessionTable(DocumentStore store, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan TransactionLifetime = TimeSpan.FromSeconds(60);

    private readonly ConcurrentDictionary<BsonValue, Session> _sessions = [];

    public Session Of(BsonDocument id)
    {
        Session session = _sessions.GetOrAdd(id["id"], _ => new Session());
        session.LastUsed = time.GetUtcNow();
        return session;
    }

    public void End(BsonDocument id)
    {
        if (_sessions.TryRemove(id["id"], out Session? session))
            Abort(session);
    }

    /// <summary>The transaction that a command names; it is started when the command says so.</summary>
    public StoreTransaction Transaction(Session session, BsonDocument command)
    {
        long number = command["txnNumber"].ToInt64();
        if (number < session.TransactionNumber)
            throw new MongoCommandException(MongoErrorCode.TransactionTooOld,
                $"Cannot start transaction {number} on session because a newer "
                    + $"transaction {session.TransactionNumber} has already started.");
        if (command.TryGetValue("startTransaction", out BsonValue start) && start.ToBoolean())
        {
            Abort(session);
            AbortExpired();
            session.TransactionNumber = number;
            session.Committed = false;
            return session.Transaction = new StoreTransaction(store, isMultiDocument: true);
        }

        return session.TransactionNumber == number && session.Transaction is { } transaction
            ? transaction
            : throw NoSuchTransaction(number);
    }

    public void Commit(Session session, BsonDocument command)
    {
        long number = command["txnNumber"].ToInt64();
        if (number == session.TransactionNumber && session.Committed)
            return;
        if (number != session.TransactionNumber || session.Transaction is not { } transaction)
            throw NoSuchTransaction(number);
        try
        {
            lock (store.WriteLock)
                transaction.Commit();
            session.Committed = true;
        }
        finally
        {
            Abort(session); // one that could not be written must not keep its documents either
        }
    }

    public void Abort(Session session, BsonDocument command)
    {
        long number = command["txnNumber"].ToInt64();
        if (number != session.TransactionNumber || session.Transaction is null)
            throw NoSuchTransaction(number);
        Abort(session);
    }

    public static void Abort(Session session)
    {
        session.Transaction?.Dispose();
        session.Transaction = null;
    }

    public void Dispose()
    {
        foreach (Session session in _sessions.Values)
            Abort(session);
    }

    private static MongoCommandException NoSuchTransaction(long number) =>
        new(MongoErrorCode.NoSuchTransaction, $"Given transaction number {number} does not match any in-progress transactions.")
        {
            Labels = ["TransientTransactionError"],
        };

    // A client that died must not keep its documents for ever (transactionLifetimeLimitSeconds).
    private void AbortExpired()
    {
        DateTimeOffset now = time.GetUtcNow();
        foreach (Session session in _sessions.Values.Where(s => s.Transaction is not null && now - s.LastUsed > TransactionLifetime))
        {
            if (!session.Turn.Wait(0))
                continue;
            Abort(session);
            session.Turn.Release();
        }
    }
}
