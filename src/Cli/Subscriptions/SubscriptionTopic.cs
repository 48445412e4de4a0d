using System.CommandLine;
using Confluent.Kafka;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Subscriptions;

namespace KafkaEventSourcing.Cli.Subscriptions;

/// <summary>What a subscription keeps of one aggregate type.</summary>
/// <param name="Family">The topics of the aggregate type.</param>
/// <param name="Name">The subscription's name.</param>
/// <param name="Partitions">How many partitions there are.</param>
internal sealed record SubscriptionTopic(TopicFamily Family, string Name, int Partitions)
{
    private const string Infix = "subscription";

    /// <summary>How it is named on the command line.</summary>
    public string Subscription => $"{Family.Application}.{Name}";

    public string Topic => Family.Subscription(Name);

    /// <summary>The argument that names one subscription.</summary>
    public static Argument<string> Argument() => new("subscription") { Description = "APPLICATION.SUBSCRIPTION, such as bank.mailer" };

    /// <summary>The option that names one of its aggregate types.</summary>
    public static Option<string?> Type() => new("--type", "-t") { Description = "of this aggregate type only" };

    /// <summary>All of a cluster, or those that were named, in order.</summary>
    /// <exception cref="CommandFailedException">What was named is not there.</exception>
    public static IReadOnlyList<SubscriptionTopic> Find(KafkaConnection kafka, string? subscription, string? type)
    {
        using IAdminClient admin = ClusterOptions.Admin(kafka);
        List<SubscriptionTopic> all = [.. ClusterOptions.Topics(admin, kafka).Select(Parse).OfType<SubscriptionTopic>().OrderBy(t =>
            t.Subscription, StringComparer.Ordinal).ThenBy(t => t.Family.Aggregate, StringComparer.Ordinal)];
        List<SubscriptionTopic> found = all.FindAll(t => subscription is null || t.Subscription == subscription);
        if (found.Count == 0 && subscription is not null)
        {
            string known = all.Count == 0
                ? "this cluster has none"
                : $"here {string.Join(", ", all.Select(t => t.Subscription).Distinct())}";
            throw new CommandFailedException($"There is no subscription '{subscription}' at {kafka.BootstrapServers}. Subscriptions are "
                + $"named APPLICATION.SUBSCRIPTION; {known}.");
        }

        List<SubscriptionTopic> wanted = found.FindAll(t => type is null || t.Family.Aggregate == type);
        return wanted.Count > 0 || found.Count == 0
            ? wanted
            : throw new CommandFailedException($"The subscription '{subscription}' does not read events of '{type}', but "
                + $"of {string.Join(", ", found.Select(t => t.Family.Aggregate))}.");
    }

    /// <summary>What each partition says; records that are not the subscription's are told on standard error.</summary>
    public IEnumerable<(int Partition, LedgerState State)> Read(KafkaConnection kafka, CancellationToken cancellationToken)
    {
        using var reader = new LedgerReader(kafka, Topic, Console.Error.WriteLine);
        for (int partition = 0; partition < Partitions; partition++)
            yield return (partition, reader.Read(partition, cancellationToken));
    }

    private static SubscriptionTopic? Parse(TopicMetadata topic) =>
        topic.Topic.Split('.') is [var application, var aggregate, Infix, var name]
            ? new SubscriptionTopic(new TopicFamily(application, aggregate), name, topic.Partitions.Count)
            : null;
}
