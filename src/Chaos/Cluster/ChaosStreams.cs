using System.Globalization;
using System.Text.RegularExpressions;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>A process that runs the application's event streams: its command <c>streams</c>.</summary>
internal sealed partial class ChaosStreams : ChaosMember
{
    public ChaosStreams(int number, DomainUnderTest domain, ChaosOptions options, IChaosServers servers, string folder, string logFolder,
        TimeProvider time)
        : this(NameOf(number), domain, options, servers, folder, logFolder, time)
    {
    }

    private ChaosStreams(string name, DomainUnderTest domain, ChaosOptions options, IChaosServers servers, string folder, string logFolder,
        TimeProvider time)
        : base(name, folder, servers.RouteOf(name))
    {
        IReadOnlyList<string> command =
        [
            .. domain.Command, "streams", "--verbose", "--session-timeout",
            options.SessionTimeout.TotalSeconds.ToString(CultureInfo.InvariantCulture), "--data", Folder,
            .. ServerArguments.OfLog(Servers.Addresses),
        ];
        var environment = new Dictionary<string, string> { ["DOTNET_EnableDiagnostics"] = "0", ["DOTNET_gcServer"] = "0" };
        Process = new ChildProcess(Name, () => command, () => environment, Follows(), _ => { }, Path.Combine(logFolder, $"{name}.log"),
            time);
    }

    public override ChildProcess Process { get; }

    private static string NameOf(int number) => string.Create(CultureInfo.InvariantCulture, $"streams-{number + 1}");

    [GeneratedRegex("follows the events")]
    private static partial Regex Follows();
}
