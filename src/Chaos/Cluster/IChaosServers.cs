using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>Kafka, Schema Registry and MongoDB as the nodes of a run have them.</summary>
internal interface IChaosServers : IAsyncDisposable
{
    /// <summary>The process that they are in; null: they are somebody else's, and nothing is done to them.</summary>
    ChildProcess? Process { get; }

    /// <summary>The servers as the checker uses them: nobody spoils its connections.</summary>
    ServerAddresses OfChecker { get; }

    /// <summary>The way of the node <paramref name="client"/> to them. The caller disposes it.</summary>
    ServerRoute RouteOf(string client);
}
