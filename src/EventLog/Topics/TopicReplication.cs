using System.Globalization;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// How many replicas a topic gets for which nothing is said: a log that is the truth must outlive a broker, and Kafka's own default is 1.
/// </summary>
internal static class TopicReplication
{
    /// <summary>The broker decides.</summary>
    public const short Unsaid = -1;

    public const string MinInSync = "min.insync.replicas";

    private const short Wanted = 3;
    private const int WantedInSync = 2;
    private const string DefaultFactor = "default.replication.factor";

    /// <summary>The number of replicas, and the value for <see cref="MinInSync"/>; null: the broker's own is left.</summary>
    /// <param name="said">What was said; <see cref="Unsaid"/>: nothing.</param>
    /// <param name="brokers">How many brokers there are now.</param>
    /// <param name="defaults">What the brokers do by themselves.</param>
    public static (short Factor, int? InSync) Choose(short said, int brokers, ReplicationDefaults defaults)
    {
        short factor = said != Unsaid ? said
            : brokers < 2 ? Unsaid // one broker, or something that looks like one: it knows better
            : Math.Max(Math.Min(Wanted, (short)Math.Min(brokers, short.MaxValue)), defaults.Factor);
        return (factor, defaults.InSync < WantedInSync ? InSyncOf(factor) : null);
    }

    /// <summary>
    /// How many of so many replicas must have a record before it is acknowledged, so that one may fail and nothing is lost nor waits; null:
    /// as the broker says.
    /// </summary>
    public static int? InSyncOf(short factor) => factor >= Wanted ? WantedInSync : null;

    /// <summary>What the brokers do by themselves. Where none tells it, they do as Kafka does.</summary>
    public static async Task<ReplicationDefaults> Defaults(IAdminClient admin, Metadata cluster, TimeSpan attempt)
    {
        if (cluster.Brokers.Count < 2)
            return new ReplicationDefaults(); // they are not needed
        IReadOnlyDictionary<string, string> configs = await BrokerConfigs.Read(admin, cluster, attempt).ConfigureAwait(false);
        return new ReplicationDefaults
        {
            Factor = short.TryParse(configs.GetValueOrDefault(DefaultFactor), NumberStyles.Integer, CultureInfo.InvariantCulture,
                out short factor) ? factor : (short)1,
            InSync = int.TryParse(configs.GetValueOrDefault(MinInSync), NumberStyles.Integer, CultureInfo.InvariantCulture, out int inSync)
                ? inSync
                : 1,
        };
    }
}

/// <summary>The replicas of a topic for which nothing is said, and how many of them must have a record before it is acknowledged.</summary>
internal readonly record struct ReplicationDefaults()
{
    public short Factor { get; init; } = 1;

    public int InSync { get; init; } = 1;
}
