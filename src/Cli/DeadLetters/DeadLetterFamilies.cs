using Confluent.Kafka;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.DeadLetters;

/// <summary>The topic families of a cluster that have a dead-letters topic, and their letters.</summary>
internal static class DeadLetterFamilies
{
    private const string Suffix = ".dead-letters";

    /// <summary>All families with the number of their partitions, or the one that was named.</summary>
    /// <exception cref="CommandFailedException">The one that was named is not there.</exception>
    public static IReadOnlyList<(TopicFamily Family, int Partitions)> Find(KafkaConnection kafka, string? named)
    {
        using IAdminClient admin = ClusterOptions.Admin(kafka);
        List<(TopicFamily Family, int Partitions)> all =
        [
            .. ClusterOptions.Topics(admin, kafka)
                .Where(t => t.Topic.EndsWith(Suffix, StringComparison.Ordinal)
                    && t.Topic.AsSpan(0, t.Topic.Length - Suffix.Length).Count('.') == 1)
                .Select(t => (FamilyOf(t.Topic[..^Suffix.Length]), t.Partitions.Count)),
        ];
        if (named is null)
            return all;
        string name = named.EndsWith(Suffix, StringComparison.Ordinal) ? named[..^Suffix.Length] : named;
        return all.FindAll(f => $"{f.Family.Application}.{f.Family.Aggregate}" == name) is { Count: 1 } one
            ? one
            : throw new CommandFailedException($"There is no topic '{name}{Suffix}' at {kafka.BootstrapServers}. "
                + $"Families are named APPLICATION.AGGREGATE{Present(all)}.");
    }

    /// <summary>The letters of a family, partition by partition in order; records that are none are told on standard error.</summary>
    public static IEnumerable<DeadLetter> Letters(
        KafkaConnection kafka, TopicFamily family, int partitions, bool withResolved, CancellationToken cancellationToken)
    {
        var reader = new DeadLetterReader(kafka, family.DeadLetters);
        return Enumerable.Range(0, partitions).SelectMany(p => reader.Read(p, 0, withResolved, Console.Error.WriteLine, cancellationToken));
    }

    private static string Present(List<(TopicFamily Family, int Partitions)> families) => families.Count == 0
        ? "; this cluster has none"
        : $", here {string.Join(", ", families.Select(f => $"{f.Family.Application}.{f.Family.Aggregate}"))}";

    private static TopicFamily FamilyOf(string name)
    {
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        return new TopicFamily(name[..dot], name[(dot + 1)..]);
    }
}
