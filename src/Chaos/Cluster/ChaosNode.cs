using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>One node of the application in a process of its own, with a proxy on each way to and from it.</summary>
internal sealed partial class ChaosNode : IAsyncDisposable
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);

    private readonly TcpProxy _fellows;
    private volatile HttpClient? _http;
    private TimeSpan _clockOffset;

    public ChaosNode(int number, DomainUnderTest domain, ChaosOptions options, IChaosServers servers, string folder, string logFile,
        TimeProvider time)
    {
        Name = string.Create(CultureInfo.InvariantCulture, $"node-{number + 1}");
        Folder = Path.Combine(folder, Name);
        Servers = servers.RouteOf(Name);
        _fellows = new TcpProxy(time);
        IReadOnlyList<string> command = FileSizeLimit.Ignoring(
        [
            .. domain.Command, "run", "--verbose", "--http-port", "0", "--node-id", Name, "--session-timeout",
            options.SessionTimeout.TotalSeconds.ToString(CultureInfo.InvariantCulture),
            "--standbys", options.Standbys.ToString(CultureInfo.InvariantCulture), "--partitions",
            options.Partitions.ToString(CultureInfo.InvariantCulture), "--data", Folder,
            .. ServerArguments.Of(Servers.Addresses), "--advertise", $"http://127.0.0.1:{_fellows.Port}",
        ]);
        Process = new ChildProcess(Name, () => command, Environment, ServesAt(), Served, logFile, time);
    }

    public string Name { get; }

    /// <summary>Its data.</summary>
    public string Folder { get; }

    public ChildProcess Process { get; }

    /// <summary>Its HTTP interface, as callers reach it; null: it has not served yet.</summary>
    public HttpClient? Http => _http;

    /// <summary>Its way to the servers.</summary>
    public ServerRoute Servers { get; }

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

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync().ConfigureAwait(false);
        await Servers.DisposeAsync().ConfigureAwait(false);
        await _fellows.DisposeAsync().ConfigureAwait(false);
        _http?.Dispose();
    }

    private Dictionary<string, string> Environment()
    {
        var environment = new Dictionary<string, string>
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
