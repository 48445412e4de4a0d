using System.Net.Sockets;

namespace KafkaEventSourcing.Testing;

/// <summary>The connections of one name through a <see cref="TcpProxy"/>, and how they are. Thread-safe.</summary>
public sealed class TcpProxyLine
{
    private readonly Lock _lock = new();
    private readonly HashSet<Socket> _clients = [];
    private TaskCompletionSource? _held;
    private TimeSpan _delay;
    private bool _cut;

    internal TcpProxyLine()
    {
    }

    internal bool IsCut
    {
        get
        {
            lock (_lock)
                return _cut;
        }
    }

    /// <summary>Resets all connections, and new ones too until <see cref="Mend"/>.</summary>
    public void Cut()
    {
        lock (_lock)
            _cut = true;
        Reset();
    }

    /// <summary>
    /// Holds back what either side says until <see cref="Mend"/>; then it arrives. Connections stay open, and new ones are taken.
    /// </summary>
    public void Stall()
    {
        lock (_lock)
            _held ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Lets each piece that either side says wait until <see cref="Mend"/>.</summary>
    public void Delay(TimeSpan by)
    {
        lock (_lock)
            _delay = by;
    }

    /// <summary>Takes back all that was done.</summary>
    public void Mend()
    {
        TaskCompletionSource? held;
        lock (_lock)
        {
            held = _held;
            (_held, _delay, _cut) = (null, TimeSpan.Zero, false);
        }

        held?.SetResult();
    }

    internal void Add(Socket client)
    {
        lock (_lock)
            _clients.Add(client);
    }

    internal void Remove(Socket client)
    {
        lock (_lock)
            _clients.Remove(client);
    }

    internal async ValueTask Pass(TimeProvider time, CancellationToken cancellationToken)
    {
        Task? held;
        TimeSpan delay;
        lock (_lock)
            (held, delay) = (_held?.Task, _delay);
        if (held is not null)
            await held.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (delay > TimeSpan.Zero)
            await Task.Delay(delay, time, cancellationToken).ConfigureAwait(false);
    }

    internal void Reset()
    {
        Socket[] clients;
        lock (_lock)
            clients = [.. _clients];
        foreach (Socket client in clients)
            Reset(client);
    }

    // Closed with unsent data thrown away: the other side gets a reset, as from a broken network device.
    internal static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
            socket.Dispose();
        }
        catch (Exception gone) when (gone is ObjectDisposedException or SocketException)
        {
            // It has ended by itself meanwhile.
        }
    }
}
