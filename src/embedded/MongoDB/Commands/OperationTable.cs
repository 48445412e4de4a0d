using System.Collections.Concurrent;
using System.Globalization;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>
/// The operations that run. While there are any, their clients are looked after: a query whose client has left is of no use to anybody.
/// </summary>
internal sealed class OperationTable : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<long, Operation> _running = [];
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private long _lastId;
    private int _isWatching;
    private bool _isStopped;

    public OperationTable(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(_ => Watch(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public Operation Begin(BsonDocument command, Func<bool> isClientGone)
    {
        var operation = new Operation(Interlocked.Increment(ref _lastId), command, _time, isClientGone);
        _running[operation.Id] = operation;
        if (Volatile.Read(ref _isStopped))
            operation.Kill(MongoErrorCode.InterruptedAtShutdown);
        if (Interlocked.Exchange(ref _isWatching, 1) == 0)
            _timer.Change(Look, Timeout.InfiniteTimeSpan);
        return operation;
    }

    public void End(Operation operation)
    {
        _running.TryRemove(operation.Id, out _);
        operation.Dispose();
    }

    public void Kill(long id)
    {
        if (_running.TryGetValue(id, out Operation? operation))
            operation.Kill(MongoErrorCode.Interrupted);
    }

    /// <summary>Ends what a session runs.</summary>
    public void KillOf(BsonValue session)
    {
        foreach (Operation operation in _running.Values.Where(o =>
            o != Operation.Current && o.Command.TryGetValue("lsid", out BsonValue lsid) && lsid.AsBsonDocument["id"] == session))
            operation.Kill(MongoErrorCode.Interrupted);
    }

    public BsonArray ToBson() =>
    [
        .. _running.Values.OrderBy(o => o.Id).Select(o => new BsonDocument
        {
            { "type", "op" },
            { "opid", o.Id },
            { "active", true },
            { "op", o.Command.GetElement(0).Name == "getMore" ? "getmore" : "command" },
            { "ns", $"{o.Command.GetValue("$db", "")}.{(o.Command[0].IsString ? o.Command[0].AsString : "$cmd")}" },
            { "secs_running", (long)_time.GetElapsedTime(o.Started).TotalSeconds },
            { "microsecs_running", (long)_time.GetElapsedTime(o.Started).TotalMicroseconds },
            { "command", o.Command },
        }),
    ];

    /// <summary>Ends all that runs, and all that begins still.</summary>
    public void Stop()
    {
        Volatile.Write(ref _isStopped, true);
        foreach (Operation operation in _running.Values)
            operation.Kill(MongoErrorCode.InterruptedAtShutdown);
    }

    public void Dispose() => _timer.Dispose();

    public static long IdOf(BsonValue op) => op switch
    {
        { IsNumeric: true } => op.ToInt64(),
        BsonString { Value: var text } when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long id) => id,
        _ => throw new MongoCommandException(MongoErrorCode.TypeMismatch, "Did not provide \"op\" field of a number"),
    };

    private void Watch()
    {
        foreach (Operation operation in _running.Values.Where(o => o.IsClientGone))
            operation.Kill(MongoErrorCode.ClientDisconnect);
        Volatile.Write(ref _isWatching, 0);
        if (!_running.IsEmpty && Interlocked.Exchange(ref _isWatching, 1) == 0)
            _timer.Change(Look, Timeout.InfiniteTimeSpan);
    }
}
