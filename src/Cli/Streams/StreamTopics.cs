using System.CommandLine;
using Confluent.Kafka;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Streams;

/// <summary>What a topic of streams is for, as its name says.</summary>
internal enum StreamTopicKind
{
    /// <summary>It has what a store keeps: snapshots, totals.</summary>
    Changelog,

    /// <summary>It is between two steps of the streams.</summary>
    Repartition,

    /// <summary>It is for others to read: events of a type, results of a join.</summary>
    Derived,
}

/// <summary>The streams of one definition, as a cluster has them: a group, and topics that begin with its name.</summary>
/// <param name="Name">The name of the definition, which is the group's.</param>
/// <param name="Topics">The topics that they write, in order.</param>
/// <param name="Others">All other topics that may be their sources.</param>
internal sealed record StreamTopics(string Name, IReadOnlyList<(TopicMetadata Topic, StreamTopicKind Kind)> Topics,
    IReadOnlyList<string> Others)
{
    /// <summary>What brokers know these commands as.</summary>
    public const string ClientName = "kes-streams";

    private const string Changelog = "-changelog";
    private const string Repartition = "-repartition";
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The names of the topics of a kind.</summary>
    public IEnumerable<string> Of(StreamTopicKind kind) => Topics.Where(t => t.Kind == kind).Select(t => t.Topic.Topic);

    /// <summary>The argument that names the streams.</summary>
    public static Argument<string> Argument() => new("streams") { Description = "the name of the definition, such as bank-streams" };

    /// <summary>All streams of a cluster, or those that were named.</summary>
    /// <exception cref="CommandFailedException">What was named is not there, or no broker answers.</exception>
    public static IReadOnlyList<StreamTopics> Find(IAdminClient admin, KafkaConnection kafka, string? name)
    {
        List<TopicMetadata> topics = ClusterOptions.Topics(admin, kafka).FindAll(t => !t.Topic.StartsWith('_'));
        string[] groups = [.. admin.ListConsumerGroupsAsync(new() { RequestTimeout = RequestTimeout }).GetAwaiter().GetResult().Valid
            .Select(g => g.GroupId)];
        HashSet<string> there = [.. topics.Select(t => t.Topic)];
        string[] events =
            [.. there.Where(t => t.EndsWith(TopicFamily.EventsSuffix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        HashSet<string> applications = [.. events.Select(t => t[..t.IndexOf('.', StringComparison.Ordinal)])];
        HashSet<string> names = [.. (name is null ? groups : [.. groups, name]).Where(n => !applications.Contains(n))];
        // A topic is of the longest name that it begins with: those of bank-streams are not of bank.
        var owners = topics.Select(t => (Topic: t, Owner: names.Where(n => KindOf(n, t.Topic, there) is not null).MaxBy(n => n.Length)))
            .Where(t => t.Owner is not null).ToLookup(t => t.Owner!, t => t.Topic);
        List<StreamTopics> found =
        [
            .. owners.Where(o => name is null || o.Key == name).OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => new StreamTopics(
                o.Key,
                [.. o.Select(t => (t, KindOf(o.Key, t.Topic, there)!.Value))],
                events)),
        ];
        if (found.Count > 0 || name is null)
            return found;
        string known = owners.Count == 0
            ? "this cluster has none"
            : $"here {string.Join(", ", owners.Select(o => o.Key).Order(StringComparer.Ordinal))}";
        throw new CommandFailedException($"There are no streams '{name}' at {kafka.BootstrapServers}: no topic begins with that name as "
            + $"theirs do; {known}.");
    }

    /// <summary>The members of the group, and its state; null: there is no such group.</summary>
    public GroupInfo? Group(IAdminClient admin)
    {
        try
        {
            return admin.ListGroup(Name, RequestTimeout); // DescribeConsumerGroups can end the process by a failed assertion of librdkafka
        }
        catch (KafkaException unknown) when (unknown.Error.Code is ErrorCode.GroupIdNotFound)
        {
            return null;
        }
    }

    /// <summary>The state of a group, in Kafka's word.</summary>
    public static string StateOf(GroupInfo? group) => group?.State is { Length: > 0 } state ? state : "none";

    /// <summary>
    /// What they read, as far as a position of theirs says so: topics of events, and their own between two steps.
    /// </summary>
    public IReadOnlyList<string> Sources(GroupPositions positions)
    {
        HashSet<string> committed = [.. positions.Committed(Others).Keys.Select(p => p.Topic)];
        return [.. Others.Where(committed.Contains), .. Of(StreamTopicKind.Repartition)];
    }

    private static StreamTopicKind? KindOf(string name, string topic, HashSet<string> there) =>
        !topic.StartsWith(name, StringComparison.Ordinal) || topic.Length < name.Length + 2 ? null
        : topic[name.Length] == '.' ? IsDerived(name, topic, there) ? StreamTopicKind.Derived : null
        : topic[name.Length] != '-' ? null
        : topic.EndsWith(Changelog, StringComparison.Ordinal) ? StreamTopicKind.Changelog
        : topic.EndsWith(Repartition, StringComparison.Ordinal) ? StreamTopicKind.Repartition
        : null;

    // A reset empties what is derived: what merely begins as the name of a consumer does must never be taken for it. A topic per event type
    // has an aggregate type in its name, the result of a join its store beside it.
    private static bool IsDerived(string name, string topic, HashSet<string> there) => topic[(name.Length + 1)..].Split('.') switch
    {
        [var aggregate, _] => there.Any(t => t.EndsWith($".{aggregate}{TopicFamily.EventsSuffix}", StringComparison.Ordinal)),
        [var join] => there.Contains($"{name}-{join}-requests{Changelog}"),
        _ => false,
    };
}
