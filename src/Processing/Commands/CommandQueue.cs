using System.Diagnostics;
using Confluent.Kafka;

namespace KafkaEventSourcing.Processing;

/// <summary>A command that waits: a record of the command topic, or one of the direct door; without either, a timer has come due.</summary>
internal readonly record struct QueuedCommand(ConsumeResult<byte[], byte[]>? Record, IncomingCommand? Direct, int Bytes);

/// <summary>
/// Commands that wait for one partition task, from both doors in the order of their coming. The doors add, the task's thread takes.
/// </summary>
internal sealed class CommandQueue
{
    private const int CommandOverhead = 512;

    private readonly Queue<QueuedCommand> _commands = [];
    private readonly object _lock = new();
    private long _bytes;
    private long _added;
    private long _awaited = long.MaxValue;
    private bool _closed;
    private bool _nudged;
    private List<QueuedCommand> _taken = [];

    /// <summary>How many commands it has been given, from its start on.</summary>
    public long Added => Interlocked.Read(ref _added);

    /// <summary>Adds a record and returns how many bytes wait now.</summary>
    public long Add(ConsumeResult<byte[], byte[]> record)
    {
        lock (_lock)
        {
            Enqueue(new QueuedCommand(record, null, CommandOverhead + (record.Message.Value?.Length ?? 0)));
            return _bytes;
        }
    }

    /// <summary>The bytes that wait.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock)
                return _bytes;
        }
    }

    /// <summary>
    /// Adds a command of the direct door with <paramref name="bytes"/> of payload; null when the queue is closed, false when
    /// <paramref name="maxBytes"/> wait already.
    /// </summary>
    public bool? TryAdd(IncomingCommand direct, int bytes, long maxBytes)
    {
        lock (_lock)
        {
            if (_closed)
                return null;
            if (_bytes >= maxBytes)
                return false;
            Enqueue(new QueuedCommand(null, direct, CommandOverhead + bytes));
            return true;
        }
    }

    /// <summary>Tells the task that a timer has come due.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            if (!_closed)
                Enqueue(default);
        }
    }

    /// <summary>
    /// Nothing more is taken. Records that wait will be read again by the next owner; callers that wait are returned by
    /// <see cref="Drain"/>.
    /// </summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Closes the queue and takes out the commands of the direct door that nobody will decide here.</summary>
    public List<IncomingCommand> Drain()
    {
        lock (_lock)
        {
            Close();
            List<IncomingCommand> left = [.. _commands.Where(c => c.Direct is not null).Select(c => c.Direct!)];
            _commands.Clear();
            return left;
        }
    }

    /// <summary>Takes out the records, which are not the ones that are due; they are read again.</summary>
    public void DropRecords()
    {
        lock (_lock)
        {
            QueuedCommand[] kept = [.. _commands.Where(c => c.Record is null)];
            _commands.Clear();
            foreach (QueuedCommand command in kept)
                _commands.Enqueue(command);
            _bytes = kept.Sum(c => (long)c.Bytes);
        }
    }

    /// <summary>
    /// The callers that have waited since before <paramref name="timestamp"/> of <see cref="Stopwatch"/>, in the queue and in the batch
    /// that was taken last.
    /// </summary>
    public List<IncomingCommand> WaitingSince(long timestamp)
    {
        lock (_lock)
        {
            return [.. _taken.Concat(_commands.TakeWhile(c => c.Direct is not { Caller: { } caller } || caller.Since < timestamp))
                .Select(c => c.Direct!).Where(c => c is { Caller.Task.IsCompleted: false } && c.Caller.Since < timestamp)];
        }
    }

    /// <summary>Lets <see cref="Take"/> return, even without a command.</summary>
    public void Nudge()
    {
        lock (_lock)
        {
            _nudged = true;
            Monitor.Pulse(_lock);
        }
    }

    /// <summary>
    /// Waits for commands or a nudge and moves at most <paramref name="max"/> to <paramref name="batch"/>, which is emptied first and
    /// changed by nobody else, none more once they have <paramref name="maxBytes"/>; false when the queue is closed. With a command there
    /// it waits for more as <paramref name="linger"/> says. Tells the bytes that wait still.
    /// </summary>
    public bool Take(List<QueuedCommand> batch, int max, long maxBytes, Linger linger, out long left)
    {
        long taken = 0;
        lock (_lock)
        {
            batch.Clear();
            _taken = batch;
            while (_commands.Count == 0 && !_closed && !_nudged)
                Monitor.Wait(_lock);
            _awaited = linger.Added;
            while (!_closed
                && !_nudged
                && _added < _awaited
                && _commands.Count < max
                && _bytes < maxBytes
                && MillisecondsUntil(linger.Deadline) is > 0 and var rest)
                Monitor.Wait(_lock, rest);
            _awaited = long.MaxValue;
            _nudged = false;
            while (!_closed && batch.Count < max && taken < maxBytes && _commands.TryDequeue(out QueuedCommand command))
            {
                taken += command.Bytes;
                _bytes -= command.Bytes;
                batch.Add(command);
            }

            left = _bytes;
            return !_closed;
        }
    }

    private static int MillisecondsUntil(long timestamp) =>
        (int)Math.Round(Math.Min(int.MaxValue, (timestamp - Stopwatch.GetTimestamp()) * 1000.0 / Stopwatch.Frequency));

    private void Enqueue(QueuedCommand command)
    {
        _commands.Enqueue(command);
        _bytes += command.Bytes;
        Interlocked.Increment(ref _added);
        if (_commands.Count == 1 || _added == _awaited)
            Monitor.Pulse(_lock);
    }
}
