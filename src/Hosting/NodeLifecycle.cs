using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Health;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// A node from the start of its process to the end: what its start waits for, the node itself once it serves, and whether it has been asked
/// to end. The HTTP interface listens before there is a node and answers by it. Thread-safe.
/// </summary>
internal sealed class NodeLifecycle(ApplicationDefinition application)
{
    private volatile Func<string> _phase = () => "starting";
    private volatile EventSourcedNode? _node;
    private volatile bool _draining;
    private volatile bool _hasEnded;
    private IReadOnlyList<NodeCheck> _serverChecks = [];

    /// <summary>What runs beside the node and is seen with it; asked for each report.</summary>
    public Func<IEnumerable<IApplicationPart>> Parts { get; init; } = static () => [];

    /// <summary>What runs, or will.</summary>
    public ApplicationDefinition Application { get; } = application;

    /// <summary>Whether the node has been asked to end: it still answers, and nothing new should be sent.</summary>
    public bool IsDraining => _draining;

    /// <summary>Where the node is.</summary>
    public string Phase => _draining ? "ending" : _node is not null ? "serving" : _phase();

    /// <summary>The node.</summary>
    /// <exception cref="AggregateUnavailableException">It does not serve yet, and the message says what it waits for, or not any
    /// more.</exception>
    public EventSourcedNode Node => _hasEnded || _node is { HasEnded: true }
        ? throw new AggregateUnavailableException(-1, "The node has ended, and with it what it served.")
        : _node ?? throw new AggregateUnavailableException(-1, $"The node is starting and does not serve yet: {_phase()}. Try again.");

    /// <summary>A lifecycle of a node that serves already.</summary>
    public static NodeLifecycle Of(EventSourcedNode node)
    {
        var lifecycle = new NodeLifecycle(node.Application);
        lifecycle.Serve(node, []);
        return lifecycle;
    }

    /// <summary>The start waits for something else from now on; <paramref name="phase"/> is asked again for each report.</summary>
    public void Enter(Func<string> phase) => _phase = phase;

    /// <summary>The node serves from now on; <paramref name="serverChecks"/> are those of servers that were started for it.</summary>
    public void Serve(EventSourcedNode node, IReadOnlyList<NodeCheck> serverChecks)
    {
        _serverChecks = serverChecks;
        _node = node; // whoever sees it sees the checks
    }

    /// <summary>The node is not ready from now on, and serves whoever comes still.</summary>
    public void Drain() => _draining = true;

    /// <summary>The node has ended, or will not start any more: whoever comes now is refused.</summary>
    public void End() => _hasEnded = true;

    /// <summary>The part of <paramref name="aggregate"/>.</summary>
    /// <exception cref="AggregateUnavailableException">The node does not serve yet.</exception>
    public AggregateNode PartOf(AggregateDefinition aggregate) => Node.Aggregates.First(a => a.Definition == aggregate);

    /// <summary>Whether commands and reads may be sent to the node now, and why not.</summary>
    public HealthReport Report()
    {
        EventSourcedNode? node = _node;
        return HealthReport.Of(Phase, node is not null && !_draining,
            node is null ? [] : node.Checks.Concat(_serverChecks).Concat(Parts().Select(p => new NodeCheck(p.Name, () =>
                p.Trouble is { } trouble ? CheckResult.Degraded(trouble) : CheckResult.Ok))));
    }
}
