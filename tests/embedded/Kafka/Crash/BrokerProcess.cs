using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using KafkaEventSourcing.Chaos.Cluster;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Crash;

/// <summary>A broker as a child process that is killed and started again on the same folder and port.</summary>
internal sealed class BrokerProcess(string folder, int port) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly List<string> _lines = [];
    private Process? _process;
    private Channel<string> _output = Channel.CreateUnbounded<string>();

    public string Address { get; } = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");

    /// <summary>What all its incarnations have logged.</summary>
    public IReadOnlyList<string> Log
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    /// <summary>
    /// A port that no outgoing connection is given: while the broker is down, a client that tries to reach it must not get the port itself.
    /// </summary>
    public static int FreePort(Random random)
    {
        while (true)
        {
            int port = random.Next(20_000, 32_000);
            try
            {
                using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException inUse) when (inUse.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
            }
        }
    }

    /// <summary>The id of the process that runs.</summary>
    public int Id => _process!.Id;

    /// <summary>Starts it; it may not be ready yet.</summary>
    public void Launch()
    {
        IReadOnlyList<string> command = FileSizeLimit.Ignoring(
            ["dotnet", typeof(BrokerProcess).Assembly.Location, BrokerProgram.Verb, folder, port.ToString(CultureInfo.InvariantCulture)]);
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            Environment = { ["DOTNET_EnableDiagnostics"] = "0", ["DOTNET_gcServer"] = "0", ["DOTNET_TC_QuickJitForLoops"] = "1" },
        };
        Channel<string> output = _output = Channel.CreateUnbounded<string>();
        var process = new Process { StartInfo = start };
        int open = 2;
        DataReceivedEventHandler received = (_, line) => Received(line.Data, output, ref open);
        process.OutputDataReceived += received;
        process.ErrorDataReceived += received;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _process = process;
    }

    public Task WaitUntilReady() => WaitFor(BrokerProgram.Ready);

    /// <summary>Waits for a line of which <paramref name="text"/> is a part; what came before it is not looked at again.</summary>
    public async Task WaitFor(string text)
    {
        using var patience = new CancellationTokenSource(Patience);
        await foreach (string line in _output.Reader.ReadAllAsync(patience.Token))
        {
            if (line.Contains(text, StringComparison.Ordinal))
                return;
        }

        throw new InvalidOperationException($"The broker ended before it said '{text}': {string.Join(Environment.NewLine, Log)}");
    }

    /// <summary>SIGKILL.</summary>
    public async Task Kill()
    {
        if (_process is not { } process)
            return;
        process.Kill();
        await End(process);
    }

    /// <summary>Stops it in order.</summary>
    public async Task Stop()
    {
        _process!.StandardInput.Close();
        await End(_process).WaitAsync(Patience);
    }

    public async ValueTask DisposeAsync() => await Kill();

    private async Task End(Process process)
    {
        await process.WaitForExitAsync();
        process.Dispose();
        _process = null;
    }

    private void Received(string? line, Channel<string> output, ref int open)
    {
        if (line is null)
        {
            if (Interlocked.Decrement(ref open) == 0)
                output.Writer.TryComplete();
            return;
        }

        if (line != BrokerProgram.Ready)
        {
            lock (_lines)
                _lines.Add(line);
        }

        output.Writer.TryWrite(line);
    }
}
