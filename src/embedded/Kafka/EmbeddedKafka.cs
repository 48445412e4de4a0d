using System.Globalization;
using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Network;
using KafkaEventSourcing.Embedded.Kafka.Requests;
using KafkaEventSourcing.Embedded.Kafka.Server;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Embedded.Kafka;

/// <summary>
/// A Kafka broker in this process: one node, for development, tests and small installations. Any Kafka client can use it. Thread-safe.
/// </summary>
public sealed partial class EmbeddedKafka : IAsyncDisposable
{
    private static readonly TimeSpan TransactionTick = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan FlushTick = TimeSpan.FromSeconds(1);

    private readonly Broker _broker;
    private readonly List<Listener> _listeners = [];
    private readonly int[] _ports;
    private readonly FileStream _folderLock;
    private readonly bool _temporary;
    private readonly CancellationTokenSource _stop = new();
    private readonly ITimer _stalled;
    private readonly Task _cleaning;
    private readonly Task _flushing;
    private readonly Task _trying;
    private readonly ITimer _transactions;

    private EmbeddedKafka(EmbeddedKafkaOptions options, string directory, FileStream folderLock, IReadOnlyList<Socket> sockets,
        TimeProvider time, BrokerLoggers logger)
    {
        (_folderLock, DataDirectory, _temporary) = (folderLock, directory, options.DataDirectory is null);
        _ports = [.. sockets.Select(s => ((IPEndPoint)s.LocalEndPoint!).Port)];
        _broker = new Broker(directory, options, time, logger) { Port = options.AdvertisedPort == 0 ? _ports[0] : options.AdvertisedPort };
        BootstrapServers = string.Join(',', _ports.Select(port => string.Create(CultureInfo.InvariantCulture, $"{_broker.Host}:{port}")));
        var budget = new MemoryBudget(Math.Max(options.MaxInFlightBytes, options.MaxRequestBytes));
        _broker.Cluster?.Begin([.. _ports.Select((port, at) => new ClusterMember(options.NodeId + at, _broker.Host, port))]);
        for (int at = 0; at < sockets.Count; at++)
        {
            ClusterNode? node = _broker.Cluster is { } cluster ? new ClusterNode(options.NodeId + at, _broker, cluster) : null;
            _listeners.Add(new Listener(new RequestDispatcher(_broker, node), _broker, budget));
            _listeners[at].Open(sockets[at]);
        }

        _cleaning = Each(options.CleanInterval, _broker.Logs.Clean, time, logger);
        _flushing = Each(FlushTick, _broker.Logs.Flush, time, logger);
        TimeSpan sweep = TimeSpan.FromTicks(Math.Min(options.RequestStall.Ticks, options.ConnectionMaxIdle.Ticks) / 4);
        _trying = Each(FlushTick, _broker.Logs.TryFaulted, time, logger);
        _stalled = BackgroundTimer.Create(time, logger, "Closing stalled connections", CloseStalled, sweep);
        _transactions = BackgroundTimer.Create(time, logger, "Aborting transactions whose time is over", _broker.Transactions.AbortExpired,
            TransactionTick);
    }

    /// <summary>What clients take as <c>bootstrap.servers</c>.</summary>
    public string BootstrapServers { get; }

    /// <summary>The data folder.</summary>
    public string DataDirectory { get; }

    /// <summary>
    /// Why the broker refuses writes at present, such as a full disk; null: it takes them. It goes on by itself, within a second or so,
    /// when it can.
    /// </summary>
    public StorageFault? StorageFault => _broker.Logs.Health.Fault;

    /// <summary>Starts a broker; it returns when clients can connect.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id of the node is negative.</exception>
    /// <exception cref="IOException">The port or the data folder is in use, or the folder cannot be used; the message says
    /// which.</exception>
    public static Task<EmbeddedKafka> StartAsync(EmbeddedKafkaOptions options, ILoggerFactory? loggerFactory = null,
        TimeProvider? timeProvider = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegative(options.NodeId, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Cluster?.Brokers ?? 1, 1, nameof(options));
        cancellationToken.ThrowIfCancellationRequested();
        var logger = new BrokerLoggers((loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<EmbeddedKafka>());
        string directory = options.DataDirectory is { } named
            ? Path.GetFullPath(named)
            : Directory.CreateTempSubdirectory("embedded-kafka-").FullName;
        options = Effective(options);
        return Task.Run(() =>
        {
            FileStream folderLock = Lock(directory);
            var sockets = new List<Socket>();
            try
            {
                for (int at = 0; at < (options.Cluster?.Brokers ?? 1); at++)
                    sockets.Add(Listener.Listen(options.Host, options.Port == 0 ? 0 : options.Port + at));
                return new EmbeddedKafka(options, directory, folderLock, sockets, timeProvider ?? TimeProvider.System, logger);
            }
            catch
            {
                sockets.ForEach(s => s.Dispose());
                folderLock.Dispose();
                if (options.DataDirectory is null)
                    Directory.Delete(directory, recursive: true);
                throw;
            }
        }, cancellationToken);
    }

    /// <summary>
    /// Stops one broker of <see cref="EmbeddedKafkaOptions.Cluster"/>: nobody can connect to it, and others lead and coordinate in its
    /// place; at once, or, when it dies (<paramref name="dies"/>), once the others notice. A partition without a replica elsewhere has no
    /// leader until it is started again.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such broker.</exception>
    public async Task StopBroker(int brokerId, bool dies = false)
    {
        Listener listener = ListenerOf(brokerId);
        if (!dies)
            _broker.Cluster!.Stopped(brokerId, noticed: true);
        await listener.Close().ConfigureAwait(false);
        if (dies)
            _broker.Cluster!.Stopped(brokerId, noticed: false);
    }

    /// <summary>Starts a broker that was stopped, on the same port.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such broker.</exception>
    /// <exception cref="IOException">Its port was taken meanwhile.</exception>
    public void StartBroker(int brokerId)
    {
        Listener listener = ListenerOf(brokerId);
        listener.Open(Listener.Listen(_broker.Options.Host, _ports[brokerId - _broker.NodeId]));
        _broker.Cluster!.Started(brokerId);
    }

    /// <summary>
    /// Stops the broker. Everything acknowledged is on disk, unless there is a <see cref="StorageFault"/>: then the next start checks the
    /// logs as after a crash.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync().ConfigureAwait(false);
        foreach (Listener listener in _listeners)
            await listener.Close().ConfigureAwait(false);
        await _stalled.DisposeAsync().ConfigureAwait(false);
        await _transactions.DisposeAsync().ConfigureAwait(false);
        await _cleaning.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _flushing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _trying.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _broker.Groups.Stop();
        await Task.WhenAll(_listeners.Select(l => l.WhenIdle())).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _listeners.ForEach(l => l.Dispose());
        _broker.Dispose();
        await _folderLock.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
        if (_temporary)
            Directory.Delete(DataDirectory, recursive: true);
    }

    private static FileStream Lock(string directory)
    {
        Directory.CreateDirectory(directory);
        try
        {
            return new FileStream(Path.Combine(directory, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException inUse)
        {
            throw new IOException($"The Kafka data folder {directory} is in use, by another process or another broker of this one: end "
                + $"that one, or name another folder.",
                inUse);
        }
    }

    private void CloseStalled()
    {
        foreach (Listener listener in _listeners)
            listener.CloseStalled();
    }

    private Listener ListenerOf(int brokerId)
    {
        if (_broker.Cluster is null || brokerId < _broker.NodeId || brokerId >= _broker.NodeId + _listeners.Count)
            throw new ArgumentOutOfRangeException(nameof(brokerId), brokerId, "There is no such broker in the cluster.");
        return _listeners[brokerId - _broker.NodeId];
    }

    // Kafka's own times, unless others were given.
    private static EmbeddedKafkaOptions Effective(EmbeddedKafkaOptions options)
    {
        if (options.Cluster is not { } cluster)
            return options;
        var defaults = new EmbeddedKafkaOptions();
        return options with
        {
            GroupInitialRebalanceDelay = options.GroupInitialRebalanceDelay == defaults.GroupInitialRebalanceDelay
                ? cluster.GroupInitialRebalanceDelay
                : options.GroupInitialRebalanceDelay,
            GroupMinSessionTimeout = options.GroupMinSessionTimeout == defaults.GroupMinSessionTimeout
                ? cluster.GroupMinSessionTimeout
                : options.GroupMinSessionTimeout,
        };
    }

    // What fails now, as on a full disk, may not the next time.
    private async Task Each(TimeSpan interval, Action keep, TimeProvider time, ILogger logger)
    {
        using var timer = new PeriodicTimer(interval, time);
        while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
        {
            try
            {
                keep();
            }
            catch (Exception failure)
            {
                LogNotKept(logger, failure, keep.Method.Name);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{What} of the logs failed; it is tried again")]
    private static partial void LogNotKept(ILogger logger, Exception failure, string what);
}
