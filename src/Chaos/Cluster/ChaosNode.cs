using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>One node of the application in a process of its own, with a proxy on each way to and from it.</summary>
internal sealed partial class ChaosNode : ChaosMember
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);

    private readonly TcpProxy _fellows;
    private volatile HttpClient? _http;
    private readonly IReadOnlyDictionary<string, string> _settings;
    private TimeSpan _clockOffset;

    public ChaosNode(int number, DomainUnderTest domain, ChaosOptions options, IChaosServers servers, string folder, string logFolder,
        TimeProvider time)
        : this(NameOf(number), SettingsOf(number, domain, options), domain, options, servers, folder, logFolder, time)
    {
    }

    private ChaosNode(string name, IReadOnlyDictionary<string, string> settings, DomainUnderTest domain, ChaosOptions options,
        IChaosServers servers, string folder, string logFolder, TimeProvider time)
        : base(name, folder, servers.RouteOf(name))
    {
        _settings = settings;
        _fellows = new TcpProxy(time);
        IReadOnlyList<string> command = FileSizeLimit.Ignoring(
        [
            .. domain.Command, "run", "--verbose", "--http-port", "0", "--node-id", Name, "--session-timeout",
            options.SessionTimeout.TotalSeconds.ToString(CultureInfo.InvariantCulture),
            "--standbys", options.Standbys.ToString(CultureInfo.InvariantCulture), "--partitions",
            options.Partitions.ToString(CultureInfo.InvariantCulture), "--data", Folder,
            .. ServerArguments.Of(Servers.Addresses), "--advertise", $"http://127.0.0.1:{_fellows.Port}",
        ]);
        Process = new ChildProcess(Name, () => command, Environment, ServesAt(), Served, Path.Combine(logFolder, $"{name}.log"), time);
    }

    public override ChildProcess Process { get; }

    /// <summary>Its HTTP interface, as callers reach it; null: it has not served yet.</summary>
    public HttpClient? Http => _http;

    /// <summary>The way of the other nodes to this one.</summary>
    public TcpProxyLine Fellows => _fellows.Line();

    /// <summary>By how much its clock is wrong from its next start on.</summary>
    public void SetClock(TimeSpan offset) => _clockOffset = offset;

    /// <summary>Whether it says of itself that it serves all its partitions.</summary>
    public async Task<bool> IsReady(CancellationToken cancellationToken)
    {
        if (_http is not { } http || !Process.Serving.IsCompletedSuccessfully)
            return false;
        try
        {
            using HttpResponseMessage answer = await http.GetAsync("/health/ready", cancellationToken).ConfigureAwait(false);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false; // it took too long
        }
    }

    /// <summary>
    /// What the node <paramref name="number"/> is configured with, as variables: with event streams all but the last, unless there is one
    /// alone, restore from their snapshots. Ranges of an archive are small, and events leave their topics at once.
    /// </summary>
    public static IReadOnlyDictionary<string, string> SettingsOf(int number, DomainUnderTest domain, ChaosOptions options)
    {
        const string section = "KafkaEventSourcing__";
        var settings = new Dictionary<string, string>();
        if (options.BarrierEvents > 0)
            settings[$"{section}BarrierEvents"] = options.BarrierEvents.ToString(CultureInfo.InvariantCulture);
        if (options.Streams > 0 && (number < options.Nodes - 1 || options.Nodes == 1))
        {
            foreach (AggregateDefinition aggregate in domain.OfStreams)
                settings[$"{section}StreamSnapshots__{aggregate.Name}"] = domain.Streams!.SnapshotTopicOf(aggregate);
        }

        if (options.ArchiveFolder is { } archive)
        {
            settings[$"{section}Archive__Location"] = archive;
            settings[$"{section}Archive__RangeEvents"] = "25";
            settings[$"{section}Archive__Interval"] = "00:00:00.2";
            settings[$"{section}Archive__HotFor"] = "00:00:00";
        }

        return settings;
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync().ConfigureAwait(false);
        await _fellows.DisposeAsync().ConfigureAwait(false);
        _http?.Dispose();
    }

    private static string NameOf(int number) => string.Create(CultureInfo.InvariantCulture, $"node-{number + 1}");

    private Dictionary<string, string> Environment()
    {
        var environment = new Dictionary<string, string>(_settings)
        {
            ["DOTNET_EnableDiagnostics"] = "0", ["DOTNET_gcServer"] = "0", ["KES_DRAIN"] = "0",
        };
        if (_clockOffset != TimeSpan.Zero)
            environment["KES_TEST_CLOCK_OFFSET"] = _clockOffset.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        return environment;
    }

    private void Served(Match line)
    {
        var address = new Uri(line.Groups[1].Value);
        _fellows.Target = new IPEndPoint(IPAddress.Loopback, address.Port);
        // The one before it stays undisposed for the calls that are still on it; it has no connections any more.
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = CallTimeout })
        {
            BaseAddress = address, Timeout = CallTimeout,
        };
    }

    [GeneratedRegex(@"serves at (http://\S+)")]
    private static partial Regex ServesAt();
}
