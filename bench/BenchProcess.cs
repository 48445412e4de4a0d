using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Embedded.Kafka;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// A part of a measurement in a process of its own, so that its processor time can be told from that of its clients: this program once
/// more, with a hidden command.
/// </summary>
internal sealed class BenchProcess : IDisposable
{
    /// <summary>The hidden command that is a broker.</summary>
    public const string KafkaCommand = "serve-kafka";

    /// <summary>The hidden command that takes bytes or gives them.</summary>
    public const string LoopbackCommand = "serve-loopback";

    /// <summary>The hidden command that is all servers.</summary>
    public const string ServersCommand = "serve-servers";

    /// <summary>The hidden command that runs event streams.</summary>
    public const string StreamsCommand = "serve-streams";

    private const int Chunk = 64 * 1024;

    private readonly Process _process;

    private BenchProcess(Process process, string address, TimeSpan ready) => (_process, Address, Ready) = (process, address, ready);

    /// <summary>Where it listens.</summary>
    public string Address { get; }

    /// <summary>How long it took by its own account until clients could connect.</summary>
    public TimeSpan Ready { get; }

    /// <summary>Its processor time so far.</summary>
    public TimeSpan Cpu
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public static async Task<BenchProcess> Start(string command, string folder, CancellationToken cancellationToken)
    {
        string program = Environment.ProcessPath!;
        bool isHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
        var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (string argument in (string[])[.. isHost ? [typeof(BenchProcess).Assembly.Location] : Array.Empty<string>(),
            command, folder])
            start.ArgumentList.Add(argument);
        Process process = Process.Start(start)!;
        string? line = await process.StandardOutput.ReadLineAsync(cancellationToken).ConfigureAwait(false);
        string[] told = (line ?? throw new InvalidOperationException($"{command} ended with {process.ExitCode}.")).Split(' ');
        return new BenchProcess(process, told[0], TimeSpan.FromMilliseconds(double.Parse(told[1], CultureInfo.InvariantCulture)));
    }

    /// <summary>Ends it in order.</summary>
    public async Task Stop(CancellationToken cancellationToken)
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends it as <c>kill -9</c> does.</summary>
    public async Task Kill(CancellationToken cancellationToken)
    {
        _process.Kill();
        await _process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    /// <summary>The broker: until standard input ends.</summary>
    public static async Task ServeKafka(string folder, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { DataDirectory = folder },
            cancellationToken: cancellationToken).ConfigureAwait(false);
        Tell(kafka.BootstrapServers, Stopwatch.GetElapsedTime(started));
        await Console.In.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes what is sent, when the first byte is a t; gives without end, when it is a g. One thread, plain sockets.</summary>
    public static Task ServeLoopback()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        Tell(string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)listener.LocalEndPoint!).Port}"), TimeSpan.Zero);
        byte[] chunk = new byte[Chunk];
        while (Again(listener.Accept) is { } accepted)
        {
            using Socket client = accepted;
            if (Again(() => client.Receive(chunk, 0, 1, SocketFlags.None)) == 0)
                return Task.CompletedTask;
            bool gives = chunk[0] == (byte)'g';
            try
            {
                while (gives ? Again(() => client.Send(chunk)) > 0 : Again(() => client.Receive(chunk)) > 0)
                {
                }
            }
            catch (SocketException gone) when (gives && gone.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
            {
                // It has had enough.
            }
        }

        return Task.CompletedTask;
    }

    /// <summary>A call that a signal may interrupt, as it does on Linux while a profiler or the runtime's own signals come.</summary>
    public static T Again<T>(Func<T> call)
    {
        while (true)
        {
            try
            {
                return call();
            }
            catch (SocketException interrupted) when (interrupted.SocketErrorCode == SocketError.Interrupted)
            {
                // Nothing has happened yet.
            }
        }
    }

    /// <summary>Says where the process listens, and how long its start took.</summary>
    public static void Tell(string address, TimeSpan ready)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{address} {ready.TotalMilliseconds:0.0}"));
        Console.Out.Flush();
    }
}
