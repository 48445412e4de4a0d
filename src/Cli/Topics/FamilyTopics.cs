using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>The topics of an aggregate type that the command line names.</summary>
/// <param name="Family">Their names.</param>
/// <param name="Partitions">How many partitions its events have.</param>
/// <param name="All">The names of all topics of the cluster.</param>
internal sealed record FamilyTopics(TopicFamily Family, int Partitions, IReadOnlySet<string> All)
{
    /// <summary>Finds the aggregate type that <paramref name="named"/> names.</summary>
    /// <exception cref="CommandFailedException">It is not there, or no broker answers.</exception>
    public static FamilyTopics Find(KafkaConnection kafka, string named)
    {
        using IAdminClient admin = ClusterOptions.Admin(kafka);
        List<TopicMetadata> topics = ClusterOptions.Topics(admin, kafka);
        if (named.Split('.') is [var application, var aggregate]
            && new TopicFamily(application, aggregate) is var family
            && topics.Find(t => t.Topic == family.Events) is { } events)
            return new FamilyTopics(family, events.Partitions.Count, topics.Select(t => t.Topic).ToHashSet());
        string[] known = [.. topics.Where(t => t.Topic.EndsWith(TopicFamily.EventsSuffix, StringComparison.Ordinal))
            .Select(t => t.Topic[..^TopicFamily.EventsSuffix.Length])];
        throw new CommandFailedException($"There is no aggregate type '{named}' at {kafka.BootstrapServers}: name it as in bank.account. "
            + (known.Length == 0 ? "This cluster has none." : $"Here are {string.Join(", ", known)}."));
    }
}
