using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading.Channels;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>A child process with its output; disposing kills what still runs.</summary>
internal sealed class ProgramRun : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private int _openStreams = 2;

    private ProgramRun(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        start.Environment["DOTNET_NOLOGO"] = "1";
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Received(line.Data);
        _process.ErrorDataReceived += (_, line) => Received(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

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

    public static ProgramRun Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null) => new(program, arguments, environment);

    public static async Task<ProgramRun> Finish(string program, IEnumerable<string> arguments, CancellationToken cancellationToken, IReadOnlyDictionary<string, string>? environment = null)
    {
        var run = new ProgramRun(program, arguments, environment);
        await run.WaitForExit(cancellationToken);
        return run;
    }

    /// <summary>Waits for a line; fails with the output when the program ends without it.</summary>
    public async Task<Match> WaitForLine(Regex pattern, CancellationToken cancellationToken)
    {
        await foreach (string line in _lines.Reader.ReadAllAsync(cancellationToken))
        {
            if (pattern.Match(line) is { Success: true } match)
                return match;
        }

        throw new InvalidOperationException($"The program ended without a line like {pattern}:{Environment.NewLine}{Output}");
    }

    /// <summary>Asks it to end, and returns its exit code.</summary>
    public async Task<int> Terminate(CancellationToken cancellationToken)
    {
        using Process kill = Process.Start("kill", ["-TERM", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(cancellationToken);
        await WaitForExit(cancellationToken);
        return _process.ExitCode;
    }

    /// <summary><c>kill -9</c>: no farewell.</summary>
    public async Task Kill(CancellationToken cancellationToken)
    {
        _process.Kill();
        await WaitForExit(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task WaitForExit(CancellationToken cancellationToken)
    {
        try
        {
            await _process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
            throw;
        }
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
