using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.EventLog;

/// <summary>What the brokers of a cluster are set to.</summary>
internal static class BrokerConfigs
{
    private const int MaxAsked = 3;

    /// <summary>
    /// The configs of one broker, by name. The question is for a broker itself, and one that metadata names may have died a moment ago:
    /// some are asked, each once. Empty: none has answered, or this client may not ask; what is read here is never worth waiting for.
    /// </summary>
    /// <param name="admin">Who asks.</param>
    /// <param name="cluster">The brokers.</param>
    /// <param name="attempt">How long each is asked.</param>
    public static async Task<IReadOnlyDictionary<string, string>> Read(IAdminClient admin, Metadata cluster, TimeSpan attempt)
    {
        foreach (BrokerMetadata broker in cluster.Brokers.Take(MaxAsked))
        {
            try
            {
                List<DescribeConfigsResult> told = await admin.DescribeConfigsAsync(
                    [new ConfigResource { Type = ResourceType.Broker, Name = broker.BrokerId.ToString(CultureInfo.InvariantCulture) }],
                    new DescribeConfigsOptions { RequestTimeout = attempt }).ConfigureAwait(false);
                return told[0].Entries.Values.Where(e => e.Value is not null).ToDictionary(e => e.Name, e => e.Value);
            }
            catch (KafkaException)
            {
                // The next one may answer; without an answer Kafka's own defaults are taken.
            }
        }

        return new Dictionary<string, string>();
    }
}
