using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace KafkaEventSourcing.Testing;

/// <summary>
/// Stands between clients and a server on the loopback interface and spoils their connections when it is told to. Where several clients
/// share it, each connection is given a name from its first bytes, and each name has its own <see cref="TcpProxyLine"/>. Thread-safe.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private const int BufferBytes = 64 * 1024;

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, TcpProxyLine> _lines = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Task, bool> _serving = [];
    private readonly TcpProxyNaming? _naming;
    private readonly TimeProvider _time;
    private readonly Task _accepting;
    private volatile IPEndPoint? _target;

    /// <summary>Listens on a free port of the loopback interface.</summary>
    /// <param name="timeProvider">The clock of delays.</param>
    /// <param name="naming">Tells the names of connections; null: all have the empty name.</param>
    public TcpProxy(TimeProvider timeProvider, TcpProxyNaming? naming = null)
    {
        ArgumentNullException.ThrowIfNull(timeProvider);
        (_time, _naming) = (timeProvider, naming);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(512);
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _accepting = Accept();
    }

    /// <summary>Where it listens.</summary>
    public int Port { get; }

    /// <summary>Where it leads to; null: nowhere, connections are closed.</summary>
    public IPEndPoint? Target
    {
        get => _target;
        set => _target = value;
    }

    /// <summary>The connections of <paramref name="name"/>, those that there are and those to come.</summary>
    public TcpProxyLine Line(string name = "") => _lines.GetOrAdd(name, _ => new TcpProxyLine());

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (TcpProxyLine line in _lines.Values)
            line.Reset();
        await Task.WhenAll(_serving.Keys).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task Accept()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (SocketException) when (!_stop.IsCancellationRequested)
            {
                continue; // a client that went away before it was accepted
            }

            Task serving = Serve(client);
            _serving[serving] = true;
            _ = serving.ContinueWith(ended => _serving.TryRemove(ended, out _), CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private async Task Serve(Socket client)
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        byte[] first = ArrayPool<byte>.Shared.Rent(BufferBytes);
        TcpProxyLine? line = null;
        try
        {
            using (client)
            {
                client.NoDelay = true;
                (string name, int length) = await Name(client, first).ConfigureAwait(false);
                line = Line(name);
                line.Add(client);
                if (_target is not { } target || line.IsCut)
                {
                    TcpProxyLine.Reset(client);
                    return;
                }

                await server.ConnectAsync(target, _stop.Token).ConfigureAwait(false);
                await line.Pass(_time, _stop.Token).ConfigureAwait(false);
                await server.SendAsync(first.AsMemory(0, length), _stop.Token).ConfigureAwait(false);
                Task up = Pump(client, server, line);
                Task down = Pump(server, client, line);
                await (await Task.WhenAny(up, down).ConfigureAwait(false)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                TcpProxyLine.Reset(client); // one direction has ended: neither side is kept waiting on the other
                TcpProxyLine.Reset(server);
                await Task.WhenAll(up, down).ConfigureAwait(false);
            }
        }
        catch (Exception gone) when (gone is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One of the two has gone, which is what a proxy is for: the other one sees its connection end.
        }
        finally
        {
            line?.Remove(client);
            ArrayPool<byte>.Shared.Return(first);
        }
    }

    private async Task<(string Name, int Length)> Name(Socket client, byte[] first)
    {
        if (_naming is null)
            return ("", 0);
        int length = 0;
        while (true)
        {
            int read = await client.ReceiveAsync(first.AsMemory(length), _stop.Token).ConfigureAwait(false);
            length += read;
            if (read == 0 || length == first.Length)
                return ("", length);
            if (_naming(first.AsSpan(0, length)) is { } name)
                return (name, length);
        }
    }

    private async Task Pump(Socket from, Socket to, TcpProxyLine line)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (await from.ReceiveAsync(buffer, _stop.Token).ConfigureAwait(false) is var read and > 0)
            {
                await line.Pass(_time, _stop.Token).ConfigureAwait(false);
                for (int sent = 0; sent < read;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent), _stop.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <summary>Tells the name of a connection from the first bytes of its client; null: more are needed.</summary>
public delegate string? TcpProxyNaming(ReadOnlySpan<byte> first);
