using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Embedded.Kafka.Requests;
using KafkaEventSourcing.Embedded.Kafka.Server;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Network;

/// <summary>A port that a broker listens on, and its connections. It may be closed and opened again. Thread-safe.</summary>
internal sealed partial class Listener(RequestDispatcher dispatcher, Broker broker, MemoryBudget budget) : IDisposable
{
    private static readonly TimeSpan AcceptRetry = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<Connection, Task> _connections = [];
    private readonly ILogger _logger = broker.Logger;
    private CancellationTokenSource _stop = new();
    private Socket? _socket;
    private Task _accepting = Task.CompletedTask;

    /// <summary>A socket that listens.</summary>
    /// <exception cref="IOException">The port is in use.</exception>
    public static Socket Listen(string host, int port)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(new IPEndPoint(IPAddress.Parse(host), port));
            listener.Listen(512);
            return listener;
        }
        catch (SocketException inUse) when (inUse.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            listener.Dispose();
            throw new IOException(string.Create(CultureInfo.InvariantCulture,
                $"Port {port} of {host}, which Kafka shall listen on, is in use: give another one, or 0 for a free one."), inUse);
        }
    }

    /// <summary>Serves who connects.</summary>
    public void Open(Socket socket)
    {
        _stop.Dispose();
        (_socket, _stop) = (socket, new CancellationTokenSource());
        _accepting = Accept(socket, _stop.Token);
    }

    /// <summary>Ends it: nobody can connect, and who is connected is cut off.</summary>
    public async Task Close()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _socket?.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (Connection connection in _connections.Keys)
            connection.Close();
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _stop.Dispose();
    }

    /// <summary>Returns when no request is being answered any more.</summary>
    public Task WhenIdle() => Task.WhenAll(_connections.Values);

    public void CloseStalled()
    {
        foreach (Connection connection in _connections.Keys)
            connection.CloseIfStalled();
    }

    private async Task Accept(Socket listener, CancellationToken stop)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptAsync(stop).ConfigureAwait(false);
            }
            catch (Exception stopped) when (stop.IsCancellationRequested
                && stopped is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException broken)
            {
                // A client that went away before it was accepted, or no file handle is left for it: then at once it would be the same.
                LogNotAccepted(broken.Message);
                await Task.Delay(AcceptRetry, broker.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }

            if (_connections.Count >= broker.Options.MaxConnections)
            {
                socket.Dispose();
                continue;
            }

            socket.NoDelay = true;
            var connection = new Connection(socket, dispatcher, broker, budget);
            var serving = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _connections[connection] = serving.Task;
            ThreadPool.UnsafeQueueUserWorkItem(_ => Serve(connection, serving, stop), null);
        }
    }

    private async void Serve(Connection connection, TaskCompletionSource serving, CancellationToken stop)
    {
        try
        {
            using (connection)
                await connection.Serve(stop).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            LogNotServed(failure); // on a thread of the pool it would end the process
        }
        finally
        {
            _connections.TryRemove(connection, out _);
            serving.SetResult();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A connection failed")]
    private partial void LogNotServed(Exception failure);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A connection cannot be accepted: {Reason}")]
    private partial void LogNotAccepted(string reason);
}
