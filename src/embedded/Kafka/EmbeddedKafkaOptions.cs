using System.Security.Cryptography.X509Certificates;

namespace KafkaEventSourcing.Embedded.Kafka;

/// <summary>How an embedded broker runs.</summary>
public sealed record EmbeddedKafkaOptions
{
    /// <summary>The data folder; null: a temporary one that is deleted when the broker is disposed.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>The address to listen on. Default 127.0.0.1.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>The port; 0, the default, takes a free one.</summary>
    public int Port { get; init; }

    /// <summary>The host name that clients are told; null: <see cref="Host"/>.</summary>
    public string? AdvertisedHost { get; init; }

    /// <summary>The port that clients are told, such as that of a proxy; 0, the default: the one that it listens on.</summary>
    public int AdvertisedPort { get; init; }

    /// <summary>The id of the node, 0 or more. Default 1.</summary>
    public int NodeId { get; init; } = 1;

    /// <summary>Partitions of a topic that is created without a count. Default 1.</summary>
    public int DefaultPartitions { get; init; } = 1;

    /// <summary>Whether a topic that a client asks for is created. Default false.</summary>
    public bool AutoCreateTopics { get; init; }

    /// <summary>The most partitions that a topic may have. Default 10,000.</summary>
    public int MaxPartitions { get; init; } = 10_000;

    /// <summary>The largest request, in bytes. Default 100 MiB, as Kafka's <c>socket.request.max.bytes</c>.</summary>
    public int MaxRequestBytes { get; init; } = 100 * 1024 * 1024;

    /// <summary>
    /// The most bytes that requests under way may hold, all connections together; further ones wait. Default 256 MiB; at least
    /// <see cref="MaxRequestBytes"/> counts.
    /// </summary>
    public long MaxInFlightBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>The most connections; a further one is closed at once. Default 20,000.</summary>
    public int MaxConnections { get; init; } = 20_000;

    /// <summary>A connection that is silent for so long is closed. Default 10 minutes, as Kafka's <c>connections.max.idle.ms</c>.</summary>
    public TimeSpan ConnectionMaxIdle { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Within this time a request that was begun must go on, and a TLS or SASL handshake be over. Default 30 s.</summary>
    public TimeSpan RequestStall { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// User names and passwords; when there are any, clients must log in (SASL PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512). Default none.
    /// </summary>
    public IReadOnlyDictionary<string, string> SaslUsers { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// How long a login lasts: a client that does not renew it on its connection (KIP-368) loses the connection with the next request.
    /// Default 0, without end, as Kafka's <c>connections.max.reauth.ms</c>.
    /// </summary>
    public TimeSpan SaslSessionLifetime { get; init; }

    /// <summary>With a certificate (and its private key) the listener speaks TLS; null, the default: plain text.</summary>
    public X509Certificate2? TlsCertificate { get; init; }

    /// <summary>How long the first rebalance of an empty group waits for more members. Default 0; Kafka's is 3 s.</summary>
    public TimeSpan GroupInitialRebalanceDelay { get; init; } = TimeSpan.Zero;

    /// <summary>The most members of a group. Default unlimited, as Kafka's <c>group.max.size</c>.</summary>
    public int GroupMaxSize { get; init; } = int.MaxValue;

    /// <summary>The shortest session timeout that a member may ask for. Default 100 ms; Kafka's is 6 s.</summary>
    public TimeSpan GroupMinSessionTimeout { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest session timeout that a member may ask for. Default 30 minutes.</summary>
    public TimeSpan GroupMaxSessionTimeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>The session timeout of members of the consumer protocol (KIP-848). Default 45 s.</summary>
    public TimeSpan ConsumerSessionTimeout { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>The heartbeat interval that members of the consumer protocol (KIP-848) are told. Default 5 s.</summary>
    public TimeSpan ConsumerHeartbeatInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether a group with members may change between the classic and the consumer protocol (KIP-848). Default both ways, as Kafka's
    /// <c>group.consumer.migration.policy</c>.
    /// </summary>
    public ConsumerGroupMigrationPolicy ConsumerGroupMigrationPolicy { get; init; } = ConsumerGroupMigrationPolicy.Bidirectional;

    /// <summary>How long the offsets of a group without members are kept. Default 7 days.</summary>
    public TimeSpan OffsetsRetention { get; init; } = TimeSpan.FromDays(7);

    /// <summary>
    /// Several brokers with what is uncomfortable in a cluster, for tests of clients; null, the default: one, which is at ease.
    /// </summary>
    public EmbeddedClusterOptions? Cluster { get; init; }

    /// <summary>How often retention and compaction run. Default 15 s.</summary>
    public TimeSpan CleanInterval { get; init; } = TimeSpan.FromSeconds(15);
}
