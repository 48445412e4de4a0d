using System.Text.RegularExpressions;
using KafkaEventSourcing.Chaos.Verdict;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>Servers and nodes as child processes, in one folder.</summary>
internal sealed partial class ChaosCluster : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    private readonly string _folder;
    private readonly string _logs;
    private readonly DomainUnderTest _domain;
    private readonly ChaosOptions _options;
    private readonly TimeProvider _time;

    private ChaosCluster(DomainUnderTest domain, ChaosOptions options, string folder, TimeProvider time)
    {
        (_domain, _options, _folder, _time) = (domain, options, folder, time);
        _logs = Directory.CreateDirectory(Path.Combine(folder, "logs")).FullName;
        Servers = options.Servers is { } outside
            ? new OutsideServers(outside)
            : new OwnServers(Path.Combine(folder, "servers"), Path.Combine(_logs, "servers.log"), time);
        Nodes = [.. Enumerable.Range(0, options.Nodes).Select(n =>
            new ChaosNode(n, domain, options, Servers, folder, _logs, time))];
        Streams = [.. Enumerable.Range(0, options.Streams).Select(n =>
            new ChaosStreams(n, domain, options, Servers, folder, _logs, time))];
    }

    public IChaosServers Servers { get; }

    public IReadOnlyList<ChaosNode> Nodes { get; }

    /// <summary>The processes of the application's event streams.</summary>
    public IReadOnlyList<ChaosStreams> Streams { get; }

    /// <summary>The processes of the application.</summary>
    public IEnumerable<ChaosMember> Members => [.. Nodes, .. Streams];

    /// <summary>What the comparisons at the end have restored.</summary>
    public RestoreFigures Restored { get; private set; } = RestoreFigures.None;

    /// <summary>All child processes.</summary>
    public IEnumerable<ChildProcess> Processes => [.. Members.Select(m => m.Process),
        .. Servers.Process is { } servers ? new[] { servers } : []];

    /// <summary>Starts them; returns once all nodes are ready.</summary>
    /// <exception cref="TimeoutException">They are not, in time.</exception>
    public static async Task<ChaosCluster> Start(DomainUnderTest domain, ChaosOptions options, string folder, TimeProvider time,
        CancellationToken cancellationToken)
    {
        var cluster = new ChaosCluster(domain, options, folder, time);
        try
        {
            if (await cluster.BecomesReady(StartTimeout, cancellationToken).ConfigureAwait(false))
                return cluster;
            throw new TimeoutException(
                $"The nodes do not serve within {StartTimeout.TotalSeconds:0} s.{Environment.NewLine}{cluster.Tail()}");
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Waits until all nodes say that they serve, and event streams that they follow the events.</summary>
    public async Task<bool> BecomesReady(TimeSpan patience, CancellationToken cancellationToken)
    {
        long started = _time.GetTimestamp();
        using var timer = new PeriodicTimer(Look, _time);
        while (true)
        {
            bool[] ready = await Task.WhenAll(Nodes.Select(n => n.IsReady(cancellationToken))).ConfigureAwait(false);
            if (ready.All(r => r) && Streams.All(s => s.Process.Serving.IsCompletedSuccessfully))
                return true;
            if (_time.GetElapsedTime(started) > patience)
                return false;
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Ends all nodes in order, and has the application itself compare events, state stores and read models.</summary>
    /// <returns>What is wrong; null: nothing.</returns>
    public async Task<string?> Verify(TimeSpan patience, CancellationToken cancellationToken)
    {
        foreach (ChaosMember member in Members)
        {
            if (!await member.Process.End(patience, cancellationToken).ConfigureAwait(false))
                return $"{member.Name} did not end in order when it was asked to.";
        }

        string? wrong = await Verify(Nodes[0].Folder, "verify.log", patience, cancellationToken).ConfigureAwait(false);
        // With streams or an archive once more in a folder that has nothing: all stores are made of snapshots, or of what events are behind
        // them, wherever these are.
        return wrong is not null || (Streams.Count == 0 && !_options.WithArchive) ? wrong
            : await Verify(Path.Combine(_folder, "restored"), "verify-restored.log", patience, cancellationToken).ConfigureAwait(false);
    }

    private async Task<string?> Verify(string folder, string log, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(patience * 2, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        string[] arguments =
        [
            .. _domain.Command.Skip(1), "verify", "--verbose", "--data", folder, .. ServerArguments.Of(Servers.OfChecker),
        ];
        var environment = new Dictionary<string, string>(ChaosNode.SettingsOf(0, _domain, _options)) { ["DOTNET_EnableDiagnostics"] = "0" };
        try
        {
            ProgramRun run = await ProgramRun.FinishAsync(_domain.Command[0], arguments, environment, either.Token).ConfigureAwait(false);
            await using (run.ConfigureAwait(false))
            {
                await File.WriteAllTextAsync(Path.Combine(_logs, log), run.Output, cancellationToken).ConfigureAwait(false);
                Restored += RestoreFigures.Of(run.Output);
                return run.ExitCode == 0 ? null : $"verify found differences: {Informative().Replace(run.Output, "")}";
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"verify was not done within {patience.TotalSeconds * 2:0} s.";
        }
    }

    /// <summary>Copies what all processes have printed into <paramref name="folder"/>, which is created.</summary>
    public void CopyLogs(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (ChildProcess process in Processes)
            process.WriteLog();
        foreach (string log in Directory.GetFiles(_logs))
            File.Copy(log, Path.Combine(folder, Path.GetFileName(log)), overwrite: true);
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Members.Select(m => m.DisposeAsync().AsTask())).ConfigureAwait(false);
        await Servers.DisposeAsync().ConfigureAwait(false);
    }

    // What it logs of an ordinary start is in the file.
    [GeneratedRegex("^[0-9T:.Z-]+ (info|dbug): .*\\n", RegexOptions.Multiline)]
    private static partial Regex Informative();

    private string Tail()
    {
        const int lines = 5;
        return string.Join(Environment.NewLine, Directory.GetFiles(_logs).Order(StringComparer.Ordinal).SelectMany(f =>
            File.ReadLines(f).TakeLast(lines).Prepend(Path.GetFileName(f) + ":")));
    }
}
