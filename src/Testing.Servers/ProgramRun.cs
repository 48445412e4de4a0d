using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading.Channels;

namespace KafkaEventSourcing.Testing;

/// <summary>A program run as a child process, with its output; disposing kills what still runs. Thread-safe.</summary>
public sealed class ProgramRun : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private int _openStreams = 2;

    private ProgramRun(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        start.Environment["KES_DRAIN"] = "0"; // no load balancer has to notice that it ends
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        start.Environment["DOTNET_NOLOGO"] = "1";
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Received(line.Data);
        _process.ErrorDataReceived += (_, line) => Received(line.Data);
        _process.Start();
        Id = _process.Id;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>The id of the process.</summary>
    public int Id { get; }

    /// <summary>The exit code; only once it has ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>All that it has printed so far, both streams.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    /// <summary>Starts <paramref name="program"/>; its environment is this process's and what is given.</summary>
    public static ProgramRun Start(string program, IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null) => new(program, arguments, environment);

    /// <summary>Starts <paramref name="program"/> and waits for its end; cancelled, it is killed.</summary>
    public static async Task<ProgramRun> FinishAsync(string program, IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment, CancellationToken cancellationToken = default)
    {
        var run = new ProgramRun(program, arguments, environment);
        await run.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        return run;
    }

    /// <summary>Waits for the next line that fits.</summary>
    /// <exception cref="InvalidOperationException">The program ended without it; the message has its output.</exception>
    public async Task<Match> WaitForLineAsync(Regex pattern, CancellationToken cancellationToken = default)
    {
        await foreach (string line in _lines.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            if (pattern.Match(line) is { Success: true } match)
                return match;
        }

        throw new InvalidOperationException($"The program ended without a line like {pattern}:{Environment.NewLine}{Output}");
    }

    /// <summary>Asks it to end (SIGTERM), waits, and returns its exit code.</summary>
    public async Task<int> TerminateAsync(CancellationToken cancellationToken = default)
    {
        await SignalAsync("TERM", cancellationToken).ConfigureAwait(false);
        await WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        return _process.ExitCode;
    }

    /// <summary>Sends a signal by its short name, such as STOP or CONT.</summary>
    public async Task SignalAsync(string name, CancellationToken cancellationToken = default)
    {
        using Process kill = Process.Start("kill", [$"-{name}", Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary><c>kill -9</c>: no farewell.</summary>
    public async Task KillAsync(CancellationToken cancellationToken = default)
    {
        _process.Kill();
        await WaitForExitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits until it has ended by itself; cancelled, it is killed.</summary>
    public async Task WaitForExitAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await _process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    private void Received(string? line)
    {
        if (line is null)
        {
            if (Interlocked.Decrement(ref _openStreams) == 0)
                _lines.Writer.TryComplete();
            return;
        }

        lock (_output)
            _output.AppendLine(line);
        _lines.Writer.TryWrite(line);
    }
}
