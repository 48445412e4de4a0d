using System.Globalization;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Chaos.Verdict;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>
/// A program that is kept running as a child process: whenever it has ended, whoever ended it, it is started again, unless it is held down.
/// All that its incarnations print goes to one file. Thread-safe.
/// </summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private static readonly TimeSpan PauseBeforeStart = TimeSpan.FromMilliseconds(100);

    private readonly string _name;
    private readonly Func<IReadOnlyList<string>> _command;
    private readonly Func<IReadOnlyDictionary<string, string>> _environment;
    private readonly Regex _serving;
    private readonly Action<Match> _served;
    private readonly TimeProvider _time;
    private readonly StreamWriter _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly Task _keeping;
    private TaskCompletionSource _up = Completed();
    private TaskCompletionSource _serves = New();
    private ProgramRun? _run;
    private Task _ending = Task.CompletedTask; // whoever ends the present incarnation still looks at it
    private bool _endsByUs;
    private volatile ProgramRun? _killed;
    private int _logged; // of the present incarnation's output, how much the file has

    /// <summary>Starts it.</summary>
    /// <param name="name">What it is called in logs.</param>
    /// <param name="command">Program and arguments, asked for at each start.</param>
    /// <param name="environment">More environment variables, asked for at each start.</param>
    /// <param name="serving">The line that says that it serves.</param>
    /// <param name="served">Called with that line.</param>
    /// <param name="logFile">Where its output goes.</param>
    /// <param name="time">The clock of pauses.</param>
    public ChildProcess(string name, Func<IReadOnlyList<string>> command, Func<IReadOnlyDictionary<string, string>> environment,
        Regex serving, Action<Match> served, string logFile, TimeProvider time)
    {
        (_name, _command, _environment, _serving, _served, _time) = (name, command, environment, serving, served, time);
        _log = new StreamWriter(logFile) { AutoFlush = true };
        _keeping = Keep();
    }

    /// <summary>Completes once the present incarnation serves; faulted when it cannot be kept running.</summary>
    public Task Serving
    {
        get
        {
            lock (_lock)
                return _serves.Task;
        }
    }

    /// <summary>How often it has ended although nobody ended it.</summary>
    public int EndedByItself { get; private set; }

    /// <summary>How many lines of its output say that Kafka refused a writer that had been deposed.</summary>
    public int FencedWriters { get; private set; }

    /// <summary>What its output says of what its stores were filled with.</summary>
    public RestoreFigures Restores { get; private set; } = RestoreFigures.None;

    /// <summary>How often it was asked to end and did not do so in order.</summary>
    public int BadEnds { get; private set; }

    /// <summary>Holds it down from now on, and kills it.</summary>
    public Task Kill(CancellationToken cancellationToken) => Down(run =>
    {
        _killed = run;
        return run.KillAsync(cancellationToken);
    });

    /// <summary>Holds it down from now on, and asks it to end.</summary>
    /// <returns>False: it did not end in time, and was killed, or not with exit code 0. That somebody else has killed it meanwhile is not
    /// its fault.</returns>
    public async Task<bool> End(TimeSpan patience, CancellationToken cancellationToken)
    {
        bool inOrder = true;
        await Down(async run =>
        {
            using var late = new CancellationTokenSource(patience, _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
            try
            {
                inOrder = await run.TerminateAsync(either.Token).ConfigureAwait(false) == 0 || _killed == run;
            }
            catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                inOrder = false; // WaitForExit has killed it
            }
        }).ConfigureAwait(false);
        if (!inOrder)
            BadEnds++;
        return inOrder;
    }

    /// <summary>Lets it be started again.</summary>
    public void Up()
    {
        lock (_lock)
            _up.TrySetResult();
    }

    /// <summary>Sends a signal to the present incarnation, if there is one.</summary>
    public async Task Signal(string name, CancellationToken cancellationToken)
    {
        if (Current is { } run)
            await run.SignalAsync(name, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Does something with the process id of the present incarnation, if there is one.</summary>
    public void WithId(Action<int> act)
    {
        if (Current is { } run)
            act(run.Id);
    }

    /// <summary>Brings the file with its output up to date.</summary>
    public void WriteLog()
    {
        lock (_lock)
        {
            if (_run is { } run)
                WriteLog(run);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        Up();
        await _keeping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _log.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private ProgramRun? Current
    {
        get
        {
            lock (_lock)
                return _run;
        }
    }

    private async Task Down(Func<ProgramRun, Task> end)
    {
        TaskCompletionSource ended = New();
        ProgramRun? run;
        lock (_lock)
        {
            if (_up.Task.IsCompleted)
                _up = New();
            if (_serves.Task.IsCompleted)
                _serves = New();
            _endsByUs = true;
            run = _run;
            if (run is not null)
                _ending = Task.WhenAll(_ending, ended.Task); // a kill may overtake an end that takes long
        }

        try
        {
            if (run is not null)
                await end(run).ConfigureAwait(false);
        }
        finally
        {
            ended.SetResult();
        }
    }

    private async Task Keep()
    {
        try
        {
            while (true)
            {
                Task up;
                lock (_lock)
                    up = _up.Task;
                await up.WaitAsync(_stop.Token).ConfigureAwait(false);
                await RunOnce().ConfigureAwait(false);
                await Task.Delay(PauseBeforeStart, _time, _stop.Token).ConfigureAwait(false);
            }
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            lock (_lock)
                _serves.TrySetException(failure);
            throw;
        }
    }

    private async Task RunOnce()
    {
        IReadOnlyList<string> command = _command();
        ProgramRun run;
        lock (_lock)
        {
            if (!_up.Task.IsCompleted)
                return; // held down again meanwhile
            (_endsByUs, _logged) = (false, 0);
            run = _run = ProgramRun.Start(command[0], command.Skip(1), _environment());
            _log.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"--- {_time.GetUtcNow():HH:mm:ss.fff} {_name} is started as process {run.Id}: {string.Join(' ', command)}"));
        }

        try
        {
            Match serving = await run.WaitForLineAsync(_serving, _stop.Token).ConfigureAwait(false);
            _served(serving);
            lock (_lock)
            {
                if (_up.Task.IsCompleted)
                    _serves.TrySetResult();
            }

            await run.WaitForExitAsync(_stop.Token).ConfigureAwait(false);
        }
        catch (InvalidOperationException)
        {
            // It ended before it served: killed, or for a reason that its output tells.
        }
        finally
        {
            Task ending;
            lock (_lock)
                (_run, ending) = (null, _ending);
            await ending.ConfigureAwait(false);
            await run.DisposeAsync().ConfigureAwait(false); // kills it where this was stopped
            lock (_lock)
                Ended(run, _endsByUs || _stop.IsCancellationRequested);
        }
    }

    private void Ended(ProgramRun run, bool byUs)
    {
        WriteLog(run);
        _log.WriteLine($"--- {_time.GetUtcNow():HH:mm:ss.fff} {_name} has ended{(byUs ? "" : " by itself")}");
        FencedWriters += run.Output.Split('\n').Count(l => l.Contains("fenced", StringComparison.OrdinalIgnoreCase));
        Restores += RestoreFigures.Of(run.Output);
        if (!byUs)
            EndedByItself++;
        if (_serves.Task.IsCompleted)
            _serves = New();
    }

    private void WriteLog(ProgramRun run)
    {
        string output = run.Output;
        _log.Write(output[_logged..]);
        _logged = output.Length;
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static TaskCompletionSource Completed()
    {
        TaskCompletionSource completed = New();
        completed.SetResult();
        return completed;
    }
}
