using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Embedded.MongoDB.Network;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Embedded.MongoDB;

/// <summary>
/// A MongoDB server in this process: a replica set of one member, stored in RocksDB, for development, tests and small installations.
/// Thread-safe.
/// </summary>
public sealed partial class EmbeddedMongoDB : IAsyncDisposable
{
    private static readonly TimeSpan AcceptRetry = TimeSpan.FromMilliseconds(100);

    private readonly MongoServer _server;
    private readonly Socket _listener;
    private readonly string _directory;
    private readonly bool _temporary;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Task, Socket> _connections = [];
    private readonly Task _accepting;

    private EmbeddedMongoDB(MongoServer server, Socket listener, string directory, bool temporary, string host, ILogger logger)
    {
        (_server, _listener, _directory, _temporary) = (server, listener, directory, temporary);
        Port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        server.Address = string.Create(CultureInfo.InvariantCulture, $"{(host == "0.0.0.0" ? "127.0.0.1" : host)}:{Port}");
        ConnectionString = $"mongodb://{server.Address}/?replicaSet=kes";
        _accepting = Accept(logger);
    }

    /// <summary>What clients connect with.</summary>
    public string ConnectionString { get; }

    /// <summary>The port that it listens on.</summary>
    public int Port { get; }

    /// <summary>Starts a server; it returns when clients can connect.</summary>
    /// <exception cref="IOException">The port or the data folder is in use, or the folder cannot be used; the message says
    /// which.</exception>
    public static Task<EmbeddedMongoDB> StartAsync(EmbeddedMongoDBOptions options, ILoggerFactory? loggerFactory = null,
        TimeProvider? timeProvider = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        cancellationToken.ThrowIfCancellationRequested();
        ILogger logger = (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<EmbeddedMongoDB>();
        return Task.Run(() =>
        {
            Socket listener = Listen(options);
            string? directory = null;
            try
            {
                directory = options.DataDirectory is { } named
                    ? Directory.CreateDirectory(named).FullName
                    : Directory.CreateTempSubdirectory("embedded-mongodb-").FullName;
                var server = new MongoServer(directory, options, timeProvider ?? TimeProvider.System, logger);
                return new EmbeddedMongoDB(server, listener, directory, options.DataDirectory is null, options.Host, logger);
            }
            catch
            {
                listener.Dispose();
                if (directory is not null && options.DataDirectory is null)
                    Directory.Delete(directory, recursive: true);
                throw;
            }
        }, cancellationToken);
    }

    /// <summary>Stops the server. Everything acknowledged is on disk.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Dispose();
        _server.Stop(); // a long query must not hold the end up
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (Socket socket in _connections.Values)
            socket.Dispose();
        await Task.WhenAll(_connections.Keys).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _server.Dispose();
        _stop.Dispose();
        if (_temporary)
            Directory.Delete(_directory, recursive: true);
    }

    private static Socket Listen(EmbeddedMongoDBOptions options)
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
            throw new IOException(string.Create(CultureInfo.InvariantCulture,
                $"Port {options.Port} of {options.Host}, which MongoDB shall listen on, is in use: give another one, or 0 for a free one."),
                inUse);
        }
    }

    private async Task Accept(ILogger logger)
    {
        try
        {
            while (true)
            {
                Socket socket;
                try
                {
                    socket = await _listener.AcceptAsync(_stop.Token).ConfigureAwait(false);
                    socket.NoDelay = true;
                }
                catch (SocketException broken) when (!_stop.IsCancellationRequested)
                {
                    // A client that went away before it was accepted, or no file handle is left for it: others will come.
                    LogNotAccepted(logger, broken.Message);
                    await Task.Delay(AcceptRetry, TimeProvider.System, _stop.Token).ConfigureAwait(false);
                    continue;
                }

                Task serving = Task.Run(async () =>
                {
                    using var connection = new MongoConnection(socket, _server, logger);
                    await connection.Serve(_stop.Token).ConfigureAwait(false);
                });
                _connections[serving] = socket;
                _ = serving.ContinueWith(ended => _connections.TryRemove(ended, out Socket? _), TaskScheduler.Default);
            }
        }
        catch (Exception stopped) when (_stop.IsCancellationRequested
            && stopped is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A connection cannot be accepted: {Reason}")]
    private static partial void LogNotAccepted(ILogger logger, string reason);
}
