using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>
/// Servers that are there already, such as Apache Kafka and MongoDB. They are left alone: a cluster leads its clients past any proxy, to
/// the addresses that its members advertise.
/// </summary>
internal sealed class OutsideServers(ServerAddresses addresses) : IChaosServers
{
    public ChildProcess? Process => null;

    public ServerAddresses OfChecker => addresses;

    public ServerRoute RouteOf(string client) => new()
    {
        Addresses = addresses with { KafkaSettings = new Dictionary<string, string>(addresses.KafkaSettings) { ["client.id"] = client } },
    };

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
