using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Threading.Channels;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// The keys that seal what is personal of each subject of one application: made when a subject is first spoken of, kept in the compacted
/// topic <c>application.subject-keys</c>, wrapped by a master key. Thread-safe; a call waits while a key is made.
/// </summary>
public sealed partial class SubjectKeys : IFieldProtection, IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan TailPatience = TimeSpan.FromMilliseconds(250);

    private readonly object _gate = new();
    private readonly SubjectKeyTable _table = new();
    private readonly ConcurrentDictionary<string, Lazy<SubjectKey?>> _making = new(StringComparer.Ordinal);
    private readonly Channel<long> _erased = Channel.CreateUnbounded<long>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ConcurrentDictionary<Func<Task>, bool> _forgetters = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly KafkaConnection _connection;
    private readonly SubjectKeysTopic _topic;
    private readonly IMasterKeys _masters;
    private readonly string? _node;
    private readonly ILogger _logger;
    private long _erasures;
    private volatile bool _isStarted;
    private Exception? _ended;

    private SubjectKeys(KafkaConnection connection, SubjectKeysTopic topic, IMasterKeys masters, string? node, ILogger logger) =>
        (_connection, _topic, _masters, _node, _logger) = (connection, topic, masters, node, logger);

    /// <summary>Ends after disposal, or faults with what stopped the reading of the topic.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <inheritdoc/>
    public long Erasures => Interlocked.Read(ref _erasures);

    /// <summary>Reads the keys of <paramref name="application"/>, whose topic must be there, and checks the master keys by them.</summary>
    /// <param name="connection">The cluster.</param>
    /// <param name="registry">The registry of the application.</param>
    /// <param name="application">The application's name.</param>
    /// <param name="masters">What wraps the keys.</param>
    /// <param name="node">The id of the node that confirms erasures; null: a client, which confirms none.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Get what happens.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="MasterKeyException">A master key that keys are wrapped with is missing, or is another one.</exception>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public static async Task<SubjectKeys> StartAsync(KafkaConnection connection, ISchemaRegistryClient registry, string application,
        IMasterKeys masters, string? node, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(masters);
        SubjectKeysTopic topic = await SubjectKeysTopic.OpenAsync(connection, registry, application, time, cancellationToken)
            .ConfigureAwait(false);
        var keys = new SubjectKeys(connection, topic, masters, node, loggers.CreateLogger<SubjectKeys>());
        try
        {
            await Task.Run(() => keys.CatchUp(cancellationToken), cancellationToken).ConfigureAwait(false);
            foreach (SubjectKey one in keys._table.Keys.DistinctBy(k => k.MasterKey))
                one.Check(masters);
            keys._isStarted = true;
            if (node is not null)
                await topic.WriteRead(node, keys._table.Next - 1, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            topic.Dispose();
            keys._stop.Dispose();
            throw;
        }

        Task tail = Task.Factory.StartNew(keys.Tail, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        keys.Completion = Task.WhenAll(tail, keys.Confirm());
        return keys;
    }

    /// <summary>
    /// Has <paramref name="forget"/> called each time that a subject was erased; the erasure is confirmed once what it returns has
    /// completed.
    /// </summary>
    public void OnErased(Func<Task> forget) => _forgetters[forget] = true;

    /// <inheritdoc/>
    public byte[]? Seal(string subject, string field, ReadOnlySpan<byte> value)
    {
        SubjectKey? key;
        lock (_gate)
        {
            if (_table.IsErased(subject))
                return null;
            key = _table.KeyOf(subject);
        }

        return (key ?? KeyOf(subject))?.Seal(_masters, field, value);
    }

    /// <inheritdoc/>
    public byte[]? Open(ReadOnlySpan<byte> sealedValue)
    {
        if (sealedValue.Length < SubjectKey.IdBytes)
            throw new InvalidDataException($"It has {sealedValue.Length} bytes, which is less than the id of a key.");
        SubjectKey? key = Find(sealedValue[..SubjectKey.IdBytes]);
        try
        {
            return key?.Open(_masters, sealedValue);
        }
        catch (CryptographicException changed)
        {
            throw new InvalidDataException($"It is not what its key has sealed: {changed.Message}", changed);
        }
    }

    /// <summary>Stops, and says that the node has ended.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _erased.Writer.TryComplete();
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_node is not null)
        {
            try
            {
                await _topic.WriteRead(_node, null, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(5)).ConfigureAwait(false);
            }
            catch (Exception away) when (away is KafkaException or TimeoutException)
            {
                LogNotEnded(away.Message); // whoever erases is told that the node does not answer
            }
        }

        _topic.Dispose();
        _stop.Dispose();
    }

    // A record that another node has just written comes by the tail at once; what is unknown then is looked for.
    private SubjectKey? Find(ReadOnlySpan<byte> keyId)
    {
        lock (_gate)
        {
            if (_table.TryFind(keyId, out SubjectKey? key))
                return key;
            long since = Stopwatch.GetTimestamp();
            for (TimeSpan left = TailPatience; _ended is null
                && left > TimeSpan.Zero; left = TailPatience - Stopwatch.GetElapsedTime(since))
            {
                Monitor.Wait(_gate, left);
                if (_table.TryFind(keyId, out key))
                    return key;
            }
        }

        CatchUp(_stop.Token);
        lock (_gate)
        {
            return _table.TryFind(keyId, out SubjectKey? key)
                ? key
                : throw new InvalidDataException($"The topic {_topic.Partition.Topic} does not have its key, "
                    + $"{Convert.ToHexStringLower(keyId)}: it is of another application, or the topic has lost records.");
        }
    }

    private SubjectKey? KeyOf(string subject)
    {
        Lazy<SubjectKey?> making = _making.GetOrAdd(subject, s => new Lazy<SubjectKey?>(() => Make(s)));
        try
        {
            return making.Value;
        }
        finally
        {
            _making.TryRemove(new KeyValuePair<string, Lazy<SubjectKey?>>(subject, making));
        }
    }

    // Nothing is sealed with a key before it was read back: of several that are made at once, and of an erasure meanwhile, the order in the
    // topic says which counts.
    private SubjectKey? Make(string subject)
    {
        byte[] id = RandomNumberGenerator.GetBytes(SubjectKey.IdBytes);
        byte[] key = RandomNumberGenerator.GetBytes(SubjectKey.KeyBytes);
        string master = _masters.CurrentId;
        byte[] wrapped = _masters.WrapAsync(key, SubjectKey.ContextOf(subject, id), _stop.Token).AsTask().GetAwaiter().GetResult();
        CryptographicOperations.ZeroMemory(key);
        long offset = _topic.Write(subject, id, master, wrapped, _stop.Token).GetAwaiter().GetResult();
        long since = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            while (_table.Next <= offset)
            {
                TimeSpan left = Patience - Stopwatch.GetElapsedTime(since);
                if (_ended is { } reason)
                    throw new InvalidOperationException(
                        $"The topic {_topic.Partition.Topic} is not read any more: {reason.Message}", reason);
                if (left <= TimeSpan.Zero || !Monitor.Wait(_gate, left))
                    throw new TimeoutException($"The key that was written to {_topic.Partition.Topic} at offset {offset} was not read back "
                        + $"within {Patience.TotalSeconds:0} s.");
            }

            if (!_table.IsErased(subject))
                return _table.KeyOf(subject);
        }

        _topic.Write(subject, id, "", null, _stop.Token).GetAwaiter().GetResult();
        return null;
    }

    private void CatchUp(CancellationToken cancellationToken)
    {
        foreach (ConsumeResult<byte[], byte[]> record in _topic.Read(Next(), cancellationToken))
            Take(record);
    }

    private long Next()
    {
        lock (_gate)
            return _table.Next;
    }

    private void Tail()
    {
        try
        {
            using PartitionLogReader reader = PartitionLogReader.Tailing(_connection, "subject-keys", _logger, withHeaders: false);
            reader.Begin(new TopicPartitionOffset(_topic.Partition, Next()));
            foreach (ConsumeResult<byte[], byte[]> record in reader.Follow(passing => LogReadAgain(passing.Reason), _stop.Token))
                Take(record);
        }
        catch (OperationCanceledException stopped) when (_stop.IsCancellationRequested)
        {
            End(stopped);
        }
        catch (Exception failure)
        {
            End(failure);
            throw;
        }
    }

    private void Take(ConsumeResult<byte[], byte[]> record)
    {
        bool erased;
        lock (_gate)
        {
            erased = _table.Take(record, _topic.Serde);
            Interlocked.Exchange(ref _erasures, _table.Erasures);
            Monitor.PulseAll(_gate);
        }

        if (erased && _isStarted)
            _erased.Writer.TryWrite(record.Offset.Value);
    }

    private void End(Exception reason)
    {
        lock (_gate)
        {
            _ended = reason;
            Monitor.PulseAll(_gate);
        }

        _erased.Writer.TryComplete();
    }

    private async Task Confirm()
    {
        await foreach (long offset in _erased.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            try
            {
                await Task.WhenAll(_forgetters.Keys.Select(f => f())).WaitAsync(_stop.Token).ConfigureAwait(false);
                if (_node is not null)
                    await _topic.WriteRead(_node, offset, _stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (KafkaException away)
            {
                LogNotConfirmed(offset, away.Error.Reason);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The topic of subject keys cannot be read now; it is tried again: {Reason}")]
    private partial void LogReadAgain(string reason);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The erasure at offset {Offset} was done here and could not be confirmed; erase again to have it confirmed: {Reason}")]
    private partial void LogNotConfirmed(long offset, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The topic of subject keys could not be told that this node ends: {Reason}")]
    private partial void LogNotEnded(string reason);
}
