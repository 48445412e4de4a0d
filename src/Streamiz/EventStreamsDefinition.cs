using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Streamiz.Kafka.Net;

namespace KafkaEventSourcing.Streamiz;

/// <summary>What is derived from the events of one or several aggregate types. Immutable and thread-safe.</summary>
public sealed class EventStreamsDefinition
{
    /// <summary>What no part may be called: it would be the one of <see cref="ReadTopics"/>.</summary>
    internal const string ReadTopicsPart = "read-topics";

    internal EventStreamsDefinition(string name, IReadOnlyList<AggregateDefinition> sources) => (Name, Sources) = (name, sources);

    /// <summary>The name: Kafka's group, Streamiz' <c>application.id</c>, and the first part of the names of its topics.</summary>
    public string Name { get; }

    /// <summary>The aggregate types whose events are read.</summary>
    public IReadOnlyList<AggregateDefinition> Sources { get; }

    /// <summary>The names of the stores that can be asked.</summary>
    public IReadOnlyList<string> Stores => [.. Snapshots.Select(s => s.Store), .. Totals.Select(t => t.Store)];

    internal IReadOnlyList<SnapshotPart> Snapshots { get; init; } = [];

    internal IReadOnlyList<EventTypesPart> EventTypes { get; init; } = [];

    internal IReadOnlyList<TotalsPart> Totals { get; init; } = [];

    internal IReadOnlyList<JoinPart> Joins { get; init; } = [];

    internal IReadOnlyList<Action<StreamBuilder, EventSources>> Topologies { get; init; } = [];

    internal IReadOnlyList<Type> OtherTypes { get; init; } = [];

    /// <summary>The types that are read or written as values of records.</summary>
    internal IEnumerable<AvroRecordType> RecordTypes =>
        Sources.SelectMany(s => s.EventTypes.Concat(s.UpcastTypes).Append(s.StateType)).Concat(OtherTypes)
            .Concat(Joins.Select(j => j.ResultType)).Distinct().Select(Streamiz.RecordTypes.Of)
            .Append(AvroRecordType.Of<RunningTotal>()).Append(AvroRecordType.Of<TotalAmount>()).Append(AvroRecordType.Of<JoinRequest>())
            .Append(AvroRecordType.Of<JoinAnswer>());

    /// <summary>What is written to which topic, besides what stores keep.</summary>
    internal IEnumerable<(string Topic, Type Type)> WrittenTypes =>
        EventTypes.SelectMany(p => p.TopicOf.Select(t => (t.Value, t.Key)))
            .Concat(Totals.Select(t => (RepartitionOf(t.Store), typeof(TotalAmount))))
            .Concat(Joins.SelectMany(j => new[]
            {
                (RepartitionOf(j.Requests), typeof(JoinRequest)), (RepartitionOf(j.Responses), typeof(JoinAnswer)),
                (TopicOf(j), j.ResultType),
            }));

    /// <summary>The topics that are written, without those of a topology of the user's.</summary>
    public IReadOnlyList<string> Topics =>
    [
        .. Snapshots.Select(s => ChangelogOf(s.Store)), .. EventTypes.SelectMany(e => e.TopicOf.Values),
        .. Totals.SelectMany(t => new[] { RepartitionOf(t.Store), ChangelogOf(t.Store) }),
        .. Joins.SelectMany(j => new[]
        {
            RepartitionOf(j.Requests), ChangelogOf(j.Requests), RepartitionOf(j.Responses), TopicOf(j),
        }), ReadTopics,
    ];

    /// <summary>The compacted topic that has what the store <paramref name="store"/> keeps.</summary>
    public string ChangelogOf(string store) => $"{Name}-{store}-changelog";

    /// <summary>The topic of the snapshots of <paramref name="aggregate"/>, keyed by aggregate id; compacted.</summary>
    public string SnapshotTopicOf(AggregateDefinition aggregate)
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        return ChangelogOf(SnapshotPart.StoreOf(aggregate));
    }

    /// <summary>The compacted topic that says which topics of events were read, by name and id.</summary>
    internal string ReadTopics => ChangelogOf(ReadTopicsPart);

    /// <summary>The topics between its own steps, which it reads too.</summary>
    internal IReadOnlyList<string> Repartitions =>
        [.. Totals.Select(t => RepartitionOf(t.Store)), .. JoinSteps];

    /// <summary>Those of joins: to the right side, and back.</summary>
    internal IEnumerable<string> JoinSteps => Joins.SelectMany(j => new[] { RepartitionOf(j.Requests), RepartitionOf(j.Responses) });

    internal string RepartitionOf(string part) => $"{Name}-{part}-repartition";

    internal string TopicOf(JoinPart join) => $"{Name}.{join.Name}";

    /// <summary>The topics as they shall be.</summary>
    internal TopicDeclaration Declare(Func<AggregateDefinition, int> partitionsOf, short replicationFactor)
    {
        TopicSpecification Topic(string name, int partitions, params (string, string)[] configs) => new()
        {
            Name = name,
            Partitions = partitions,
            ReplicationFactor = replicationFactor,
            Configs = TopicSpecification.WithInSync(configs.Append(("message.timestamp.type", "CreateTime"))
                .ToDictionary(c => c.Item1, c => c.Item2), TopicReplication.InSyncOf(replicationFactor)),
        };
        int Widest(IEnumerable<AggregateDefinition> sources) => sources.Max(partitionsOf);
        // Times are those of the events: a broker that deletes by age would delete what is of 1993 at once.
        (string, string) keep = ("retention.ms", "-1");
        (string, string) compact = ("cleanup.policy", "compact");
        return new TopicDeclaration(
        [
            .. Snapshots.Select(s => Topic(ChangelogOf(s.Store), partitionsOf(s.Aggregate), compact)),
            .. EventTypes.SelectMany(e => e.TopicOf.Values.Select(t => Topic(t, partitionsOf(e.Aggregate), keep))),
            .. Totals.SelectMany(t => new[]
            {
                Topic(RepartitionOf(t.Store), Widest(t.Sources), keep), Topic(ChangelogOf(t.Store), Widest(t.Sources), compact),
            }),
            .. Joins.SelectMany(j => new[]
            {
                Topic(RepartitionOf(j.Requests), partitionsOf(j.Right), keep),
                Topic(ChangelogOf(j.Requests), partitionsOf(j.Right), compact),
                Topic(RepartitionOf(j.Responses), partitionsOf(j.Left), keep),
                Topic(TopicOf(j), partitionsOf(j.Left), compact),
            }),
            Topic(ReadTopics, 1, compact),
        ]);
    }
}
