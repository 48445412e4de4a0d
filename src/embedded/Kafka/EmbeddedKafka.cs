using System.Collections.Concurrent;
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

/// <summary>A Kafka broker in this process: one node, for development, tests and small installations. Any Kafka client can use it. Thread-safe.</summary>
public sealed partial class EmbeddedKafka : IAsyncDisposable
{
    private static readonly TimeSpan TransactionTick = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan FlushTick = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AcceptRetry = TimeSpan.FromMilliseconds(100);

    private readonly Broker _broker;
    private readonly Socket _listener;
    private readonly FileStream _folderLock;
    private readonly bool _temporary;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Connection, Task> _connections = [];
    private readonly MemoryBudget _budget;
    private readonly ITimer _stalled;
    private readonly Task _accepting;
    private readonly Task _cleaning;
    private readonly Task _flushing;
    private readonly Task _trying;
    private readonly ITimer _transactions;

    private EmbeddedKafka(EmbeddedKafkaOptions options, string directory, FileStream folderLock, Socket listener, TimeProvider time, BrokerLoggers logger)
    {
        (_folderLock, _listener, DataDirectory, _temporary) = (folderLock, listener, directory, options.DataDirectory is null);
        int port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        _broker = new Broker(directory, options, time, logger) { Port = options.AdvertisedPort == 0 ? port : options.AdvertisedPort };
        BootstrapServers = string.Create(CultureInfo.InvariantCulture, $"{_broker.Host}:{port}");
        _budget = new MemoryBudget(Math.Max(options.MaxInFlightBytes, options.MaxRequestBytes));
        _accepting = Accept(new RequestDispatcher(_broker), logger);
        _cleaning = Each(options.CleanInterval, _broker.Logs.Clean, time, logger);
        _flushing = Each(FlushTick, _broker.Logs.Flush, time, logger);
        TimeSpan sweep = TimeSpan.FromTicks(Math.Min(options.RequestStall.Ticks, options.ConnectionMaxIdle.Ticks) / 4);
        _trying = Each(FlushTick, _broker.Logs.TryFaulted, time, logger);
        _stalled = BackgroundTimer.Create(time, logger, "Closing stalled connections", CloseStalled, sweep);
        _transactions = BackgroundTimer.Create(time, logger, "Aborting transactions whose time is over", _broker.Transactions.AbortExpired, TransactionTick);
    }

    /// <summary>What clients take as <c>bootstrap.servers</c>.</summary>
    public string BootstrapServers { get; }

    /// <summary>The data folder.</summary>
    public string DataDirectory { get; }

    /// <summary>Why the broker refuses writes at present, such as a full disk; null: it takes them. It goes on by itself, within a second or so, when it can.</summary>
    public StorageFault? StorageFault => _broker.Logs.Health.Fault;

    /// <summary>Starts a broker; it returns when clients can connect.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id of the node is negative.</exception>
    /// <exception cref="IOException">The port or the data folder is in use, or the folder cannot be used; the message says which.</exception>
    public static Task<EmbeddedKafka> StartAsync(EmbeddedKafkaOptions options, ILoggerFactory? loggerFactory = null, TimeProvider? timeProvider = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegative(options.NodeId, nameof(options));
        cancellationToken.ThrowIfCancellationRequested();
        var logger = new BrokerLoggers((loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<EmbeddedKafka>());
        string directory = options.DataDirectory is { } named ? Path.GetFullPath(named) : Directory.CreateTempSubdirectory("embedded-kafka-").FullName;
        return Task.Run(() =>
        {
            FileStream folderLock = Lock(directory);
            Socket? listener = null;
            try
            {
                listener = Listen(options);
                return new EmbeddedKafka(options, directory, folderLock, listener, timeProvider ?? TimeProvider.System, logger);
            }
            catch
            {
                listener?.Dispose();
                folderLock.Dispose();
                if (options.DataDirectory is null)
                    Directory.Delete(directory, recursive: true);
                throw;
            }
        }, cancellationToken);
    }

    /// <summary>Stops the broker. Everything acknowledged is on disk, unless there is a <see cref="StorageFault"/>: then the next start checks the logs as after a crash.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Dispose();
        await _stalled.DisposeAsync().ConfigureAwait(false);
        await _transactions.DisposeAsync().ConfigureAwait(false);
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _cleaning.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _flushing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _trying.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (Connection connection in _connections.Keys)
            connection.Close();
        _broker.Groups.Stop();
        await Task.WhenAll(_connections.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
            throw new IOException($"The Kafka data folder {directory} is in use by another process: end that one, or name another folder.", inUse);
        }
    }

    private static Socket Listen(EmbeddedKafkaOptions options)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(new IPEndPoint(IPAddress.Parse(options.Host), options.Port));
            listener.Listen(512);
            return listener;
        }
        catch (SocketException inUse) when (inUse.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            listener.Dispose();
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"Port {options.Port} of {options.Host}, which Kafka shall listen on, is in use: give another one, or 0 for a free one."), inUse);
        }
    }

    private async Task Accept(RequestDispatcher dispatcher, ILogger logger)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (Exception stopped) when (_stop.IsCancellationRequested && stopped is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException broken)
            {
                // A client that went away before it was accepted, or no file handle is left for it: then at once it would be the same.
                LogNotAccepted(logger, broken.Message);
                await Task.Delay(AcceptRetry, _broker.Time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }

            if (_connections.Count >= _broker.Options.MaxConnections)
            {
                socket.Dispose();
                continue;
            }

            socket.NoDelay = true;
            var connection = new Connection(socket, dispatcher, _broker, _budget);
            var serving = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _connections[connection] = serving.Task;
            ThreadPool.UnsafeQueueUserWorkItem(_ => Serve(connection, serving, logger), null);
        }
    }

    private async void Serve(Connection connection, TaskCompletionSource serving, ILogger logger)
    {
        try
        {
            using (connection)
                await connection.Serve(_stop.Token).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            LogNotServed(logger, failure); // on a thread of the pool it would end the process
        }
        finally
        {
            _connections.TryRemove(connection, out _);
            serving.SetResult();
        }
    }

    private void CloseStalled()
    {
        foreach (Connection connection in _connections.Keys)
            connection.CloseIfStalled();
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

    [LoggerMessage(Level = LogLevel.Error, Message = "A connection failed")]
    private static partial void LogNotServed(ILogger logger, Exception failure);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A connection cannot be accepted: {Reason}")]
    private static partial void LogNotAccepted(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "{What} of the logs failed; it is tried again")]
    private static partial void LogNotKept(ILogger logger, Exception failure, string what);
}
