using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>
/// A command that runs, and why it shall end: its time is up (<c>maxTimeMS</c>), somebody killed it, or its client is gone. Long loops ask
/// by <see cref="Check"/>. Thread-safe.
/// </summary>
internal sealed class Operation : IDisposable
{
    [ThreadStatic]
    private static Operation? s_current;

    private readonly CancellationTokenSource _ended = new();
    private readonly TimeProvider _time;
    private readonly Func<bool> _isClientGone;
    private readonly Lock _lock = new();
    private ITimer? _limit;
    private int _reason;
    private bool _isDisposed;

    public Operation(long id, BsonDocument command, TimeProvider time, Func<bool> isClientGone)
    {
        (Id, Command, _time, _isClientGone) = (id, command, time, isClientGone);
        Started = time.GetTimestamp();
    }

    /// <summary>What the present thread runs.</summary>
    public static Operation? Current
    {
        get => s_current;
        set => s_current = value;
    }

    public long Id { get; }

    public BsonDocument Command { get; }

    public long Started { get; }

    /// <summary>Cancelled when the operation shall end.</summary>
    public CancellationToken Token => _ended.Token;

    public bool IsClientGone => _isClientGone();

    /// <summary>Ends the loop that calls it when the present operation shall end.</summary>
    /// <exception cref="MongoCommandException">It shall.</exception>
    public static void Check()
    {
        if (s_current is { } current && Volatile.Read(ref current._reason) != 0)
            throw current.Error();
    }

    /// <summary>Ends the operation after <paramref name="time"/>.</summary>
    public void Limit(TimeSpan time)
    {
        if (time <= TimeSpan.Zero)
        {
            Kill(MongoErrorCode.MaxTimeMSExpired);
            return;
        }

        lock (_lock)
        {
            _limit?.Dispose();
            _limit = _isDisposed
                ? null
                : _time.CreateTimer(_ => Kill(MongoErrorCode.MaxTimeMSExpired), null, time, Timeout.InfiniteTimeSpan);
        }
    }

    public void Kill(MongoErrorCode reason)
    {
        lock (_lock)
        {
            if (_isDisposed || _reason != 0)
                return;
            _reason = (int)reason;
            _ended.Cancel();
        }
    }

    public MongoCommandException Error() => (MongoErrorCode)_reason switch
    {
        MongoErrorCode.MaxTimeMSExpired => new(MongoErrorCode.MaxTimeMSExpired, "operation exceeded time limit"),
        MongoErrorCode.CursorKilled => new(MongoErrorCode.CursorKilled, "cursor was killed"),
        MongoErrorCode.ClientDisconnect =>
            new(MongoErrorCode.ClientDisconnect, "operation was interrupted because the client disconnected"),
        MongoErrorCode.InterruptedAtShutdown => new(MongoErrorCode.InterruptedAtShutdown, "interrupted at shutdown"),
        _ => new(MongoErrorCode.Interrupted, "operation was interrupted"),
    };

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _limit?.Dispose();
            _ended.Dispose();
        }
    }
}
