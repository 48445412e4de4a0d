using System.Globalization;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Projections.MongoDB;

namespace KafkaEventSourcing.Hosting.Health;

/// <summary>
/// What a node looks at to say whether it can decide and answer now. <c>Failing</c> is what its own commands and reads need;
/// <c>degraded</c> is what they do not need, or what another node would not do better.
/// </summary>
internal sealed class NodeChecks
{
    /// <summary>From this share of parked aggregates on somebody should look.</summary>
    public const double ParkedShare = 0.01;

    private readonly EventSourcedNode _node;
    private readonly BrokerProbe _broker;
    private readonly ServerProbe _registry;
    private readonly MongoProjectionStore? _readModels;
    private readonly TimeSpan _brokerSilence;

    public NodeChecks(EventSourcedNode node, BrokerProbe broker, ServerProbe registry, MongoProjectionStore? readModels,
        TimeSpan brokerSilence)
    {
        (_node, _broker, _registry, _readModels, _brokerSilence) = (node, broker, registry, readModels, brokerSilence);
        All = [new("node", Node), new("kafka", Kafka), new("partitions", Partitions), new("topics", Topics), new("parked", Parked),
            new("schema-registry", Registry)];
        if (readModels is not null)
            All.AddRange([new("mongodb", MongoDB), new("read-models", ReadModels)]);
        if (node.Application.Subscriptions.Count > 0)
            All.Add(new("subscriptions", Subscriptions));
        if (node.Archive is not null)
            All.Add(new("archive", Archive));
    }

    /// <summary>The checks; another one is a line more.</summary>
    public List<NodeCheck> All { get; }

    private CheckResult Node() =>
        _node.Completion.IsCompleted
            ? CheckResult.Failing(
                $"A part of the node has stopped: {_node.Completion.Exception?.GetBaseException().Message ?? "it was asked to"}")
            : CheckResult.Ok;

    private CheckResult Kafka()
    {
        if (_broker.Silence > _brokerSilence)
            return CheckResult.Failing(
                $"Kafka at {_node.Addresses.Kafka} has not answered for {Seconds(_broker.Silence)}{Because(_broker.Failure)}");
        TimeSpan longest = _node.Aggregates.Max(a => a.Processor.LongestBatch);
        return longest > _brokerSilence
            ? CheckResult.Failing($"A transaction has been under way for {Seconds(longest)}: commands wait for it.")
            : CheckResult.Ok;
    }

    private CheckResult Partitions()
    {
        string[] waiting =
        [
            .. _node.Aggregates.SelectMany(a => a.Processor.Partitions.Where(p => p.Value != PartitionStatus.Serving).OrderBy(p => p.Key)
                .Select(p => string.Create(CultureInfo.InvariantCulture,
                    $"{a.Definition.Name} {p.Key} is {p.Value.ToString().ToLowerInvariant()}"))),
        ];
        if (_node.Aggregates.FirstOrDefault(a => a.Processor.HaltedPartitions.Count > 0) is { } halted)
        {
            IEnumerable<string> reasons = halted.Processor.HaltedPartitions.OrderBy(p => p.Key).Select(p => p.Value);
            return CheckResult.Failing($"{string.Join(", ", waiting)}. {string.Join(" ", reasons)}");
        }

        return waiting.Length > 0 ? CheckResult.Failing($"{string.Join(", ", waiting)}.")
            : _node.Aggregates.FirstOrDefault(a => !a.Processor.IsReady && a.Processor.UnreadPartitions.Count == 0) is { } without
            ? CheckResult.Failing($"{without.Definition.Name}: this node waits for Kafka to give it partitions.")
            : CheckResult.Ok;
    }

    // What is weaker than it should be is told by the log and the metrics alone: a cluster may be meant to be so.
    private CheckResult Topics()
    {
        string[] unread =
        [
            .. _node.Aggregates.Where(a => a.Processor.UnreadPartitions.Count > 0)
                .Select(a => string.Create(CultureInfo.InvariantCulture,
                    $"{a.Topics.Commands} has got more partitions since this node started: nobody "
                        + $"reads {string.Join(", ", a.Processor.UnreadPartitions)}.")),
            .. _node.Aggregates.SelectMany(a => a.TopicStatus.Of(TopicRisk.Unusable)).Select(f => f.ToString()),
        ];
        TopicFinding[] losing = [.. _node.Aggregates.SelectMany(a => a.TopicStatus.Of(TopicRisk.LosesData))];
        return unread.Length > 0 ? CheckResult.Failing(string.Join(" ", unread))
            : losing.Length > 0 ? CheckResult.Degraded(string.Join(" ", losing.Select(f => f.ToString())))
            : CheckResult.Ok;
    }

    private CheckResult Parked()
    {
        string[] parked =
        [
            .. _node.Aggregates.Select(a => (a.Definition.Name, Counts: a.Processor.AggregateCounts))
                .Where(a => a.Counts.Parked > 0 && a.Counts.Parked >= ParkedShare * a.Counts.All)
                .Select(a => string.Create(CultureInfo.InvariantCulture,
                    $"{a.Counts.Parked:N0} of {Math.Max(a.Counts.All, a.Counts.Parked):N0} aggregates '{a.Name}' of this node are parked")),
        ];
        return parked.Length == 0
            ? CheckResult.Ok
            : CheckResult.Degraded($"{string.Join("; ", parked)}. 'kes dead-letters list' says why.");
    }

    private CheckResult Registry() => _registry.Failure is { } failure
        ? CheckResult.Degraded(
            $"The Schema Registry does not answer: {failure} Messages of schemas that this node has not seen yet wait for it.")
        : CheckResult.Ok;

    private CheckResult MongoDB() =>
        !_readModels!.IsConnected ? CheckResult.Degraded(
            "MongoDB does not answer: queries of read models are refused, and read models wait.")
        : _readModels!.Failure is { } failure
        ? CheckResult.Degraded($"MongoDB answers, and does not take what read models write, which wait and try again: {failure}")
        : CheckResult.Ok;

    private CheckResult ReadModels()
    {
        if (_node.ReadModelsWait is { } wait)
            return CheckResult.Degraded(wait);
        string[] stopped =
        [
            .. _node.Aggregates.SelectMany(a =>
                a.StoppedReadModels.OrderBy(s => s.Key).Select(s =>
                    string.Create(CultureInfo.InvariantCulture, $"{a.Definition.Name} {s.Key} stands still: {s.Value}"))),
        ];
        return stopped.Length == 0 ? CheckResult.Ok : CheckResult.Degraded(string.Join(" ", stopped));
    }

    private CheckResult Subscriptions()
    {
        string[] waiting =
        [
            .. _node.Subscriptions.SelectMany(s => s.Stops.SelectMany(t => t.Value.All().OrderBy(p => p.Key)
                .Select(p =>
                    string.Create(CultureInfo.InvariantCulture, $"{s.Definition.Name}: {t.Key} {p.Key} stands still: {p.Value}")))),
            .. _node.Subscriptions.SelectMany(s => s.Parked.Where(p => p.Value > 0)
                .Select(p => string.Create(CultureInfo.InvariantCulture,
                    $"{s.Definition.Name}: {p.Value:N0} aggregates '{p.Key}' of this node are parked. 'kes subscriptions "
                        + $"show {_node.Application.Name}.{s.Definition.Name}' says why."))),
        ];
        return waiting.Length == 0 ? CheckResult.Ok : CheckResult.Degraded(string.Join(" ", waiting));
    }

    private CheckResult Archive()
    {
        string[] problems =
        [
            .. _node.Archive!.Problems.OrderBy(p => p.Key)
                .Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key.Aggregate} {p.Key.Partition}: {p.Value}")),
        ];
        return problems.Length == 0
            ? CheckResult.Ok
            : CheckResult.Degraded($"Partitions are not archived now. {string.Join(" ", problems)}");
    }

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:N0} s");

    private static string Because(string? failure) => failure is null ? "." : $": {failure}";
}
