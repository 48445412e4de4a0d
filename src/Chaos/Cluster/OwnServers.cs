using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>
/// The embedded servers in a process of their own (as <c>kes up</c> has them), on ports that stay the same over restarts, and the proxy
/// before Kafka that its clients are led to.
/// </summary>
internal sealed partial class OwnServers : IChaosServers
{
    // The client id that Kafka's requests carry: a proxy tells by it who is speaking.
    private const string Checker = "kes";

    private readonly TcpProxy _kafka;
    private readonly TimeProvider _time;
    private readonly int _kafkaPort;
    private readonly int _registryPort;
    private readonly int _mongoPort;

    public OwnServers(string folder, string logFile, TimeProvider time)
    {
        // The registry needs Kafka, by way of the proxy, before the process can tell a port of its own choice: so they are chosen here.
        int[] ports = FreePorts(3);
        (_kafkaPort, _registryPort, _mongoPort, _time) = (ports[0], ports[1], ports[2], time);
        _kafka = new TcpProxy(time, ClientId) { Target = new IPEndPoint(IPAddress.Loopback, _kafkaPort) };
        Process = new ChildProcess("servers",
            () =>
            [
                .. SelfExecutable.Command, "up", "--data", folder, "--kafka-port", Text(_kafkaPort), "--registry-port", Text(_registryPort),
                "--mongodb-port", Text(_mongoPort),
                "--kafka-advertised-port", Text(_kafka.Port),
            ],
            () => new Dictionary<string, string> { ["DOTNET_EnableDiagnostics"] = "0" }, Started(), _ => { }, logFile, time);
    }

    public ChildProcess Process { get; }

    ChildProcess? IChaosServers.Process => Process;

    private IPEndPoint Registry => new(IPAddress.Loopback, _registryPort);

    private IPEndPoint MongoDB => new(IPAddress.Loopback, _mongoPort);

    // As all clients see it.
    private string Kafka => $"127.0.0.1:{Text(_kafka.Port)}";

    /// <inheritdoc/>
    public ServerAddresses OfChecker => new()
    {
        Kafka = Kafka,
        KafkaSettings = new Dictionary<string, string> { ["client.id"] = Checker },
        Registry = $"http://{Registry}",
        MongoDB = $"mongodb://{MongoDB}/?directConnection=true",
    };

    /// <inheritdoc/>
    public ServerRoute RouteOf(string client)
    {
        var registry = new TcpProxy(_time) { Target = Registry };
        var mongo = new TcpProxy(_time) { Target = MongoDB };
        return new ServerRoute(registry, mongo)
        {
            Addresses = new ServerAddresses
            {
                Kafka = Kafka,
                KafkaSettings = new Dictionary<string, string> { ["client.id"] = client },
                Registry = $"http://127.0.0.1:{Text(registry.Port)}",
                MongoDB = $"mongodb://127.0.0.1:{Text(mongo.Port)}/?directConnection=true",
            },
            Kafka = _kafka.Line(client),
            Registry = registry.Line(),
            MongoDB = mongo.Line(),
        };
    }

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync().ConfigureAwait(false);
        await _kafka.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// The client id in the head of a Kafka request: size, api key, api version, correlation id, and then it (Kafka protocol, request
    /// header v1 and v2).
    /// </summary>
    internal static string? ClientId(ReadOnlySpan<byte> first)
    {
        const int at = 4 + 2 + 2 + 4;
        if (first.Length < at + 2)
            return null;
        int length = BinaryPrimitives.ReadInt16BigEndian(first[at..]);
        if (length < 0)
            return "";
        return first.Length < at + 2 + length ? null : Encoding.UTF8.GetString(first.Slice(at + 2, length));
    }

    private static int[] FreePorts(int count)
    {
        Socket[] sockets = [.. Enumerable.Range(0, count).Select(_ =>
            new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))];
        try
        {
            foreach (Socket socket in sockets)
                socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            return [.. sockets.Select(s => ((IPEndPoint)s.LocalEndPoint!).Port)];
        }
        finally
        {
            foreach (Socket socket in sockets)
                socket.Dispose();
        }
    }

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex("^MongoDB ")]
    private static partial Regex Started();
}
