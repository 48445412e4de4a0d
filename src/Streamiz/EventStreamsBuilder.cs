using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Collects what is derived from the events of one or several aggregate types. Not thread-safe; used once at start-up.</summary>
public sealed class EventStreamsBuilder
{
    private readonly string _name;
    private readonly List<AggregateDefinition> _sources = [];
    private readonly List<SnapshotPart> _snapshots = [];
    private readonly List<EventTypesPart> _eventTypes = [];
    private readonly List<TotalsPart> _totals = [];
    private readonly List<JoinPart> _joins = [];
    private readonly List<Action<StreamBuilder, EventSources>> _topologies = [];
    private readonly HashSet<Type> _otherTypes = [];
    private readonly HashSet<string> _names = [];

    internal EventStreamsBuilder(string name) => _name = name;

    /// <summary>Adds an aggregate type whose events are read.</summary>
    /// <exception cref="InvalidOperationException">It was added already, or another one of its name.</exception>
    public EventStreamsBuilder From(AggregateDefinition aggregate)
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        if (_sources.Exists(s => s.Name == aggregate.Name))
            throw new InvalidOperationException($"The event streams '{_name}' already read the aggregate type '{aggregate.Name}'.");
        _sources.Add(aggregate);
        return this;
    }

    /// <summary>
    /// Keeps the state of each aggregate, folded as the aggregate type evolves, in a store and in a compacted topic
    /// (<see cref="EventStreamsDefinition.SnapshotTopicOf"/>), in Avro: state, version, place and time of the last event, and the ids of
    /// the last commands.
    /// </summary>
    /// <param name="aggregate">The aggregate type.</param>
    /// <param name="options">How; null: as <see cref="SnapshotOptions"/> says by itself.</param>
    /// <param name="dropWhen">Which states end an aggregate: its snapshot is deleted, and the topic gets a tombstone. It must have no event
    /// after that. Null, the default: none is dropped, and a node can restore from the topic. Pure.</param>
    /// <exception cref="InvalidOperationException">The aggregate type is not read, or has snapshots already.</exception>
    public EventStreamsBuilder Snapshot<TState>(AggregateDefinition<TState> aggregate, SnapshotOptions? options = null,
        Func<TState, bool>? dropWhen = null)
        where TState : class
    {
        Need(aggregate);
        options ??= new SnapshotOptions();
        options.Validate();
        RecordTypes.Of(typeof(TState));
        var part = new SnapshotPart(aggregate, options) { DropWhen = dropWhen is null ? null : state => dropWhen((TState)state) };
        if (!_names.Add(part.Store))
            throw new InvalidOperationException($"The event streams '{_name}' have a part '{part.Store}' already.");
        _snapshots.Add(part);
        return this;
    }

    /// <summary>
    /// Writes each event to a topic of its type, <c>definition.aggregate.event-type</c>, in the partition of the event: with its bytes,
    /// headers and time; an event that is upcast as what it is read as.
    /// </summary>
    /// <param name="aggregate">The aggregate type.</param>
    /// <param name="eventTypes">The types; none given: all that it evolves by.</param>
    /// <exception cref="InvalidOperationException">The aggregate type is not read or is split already, or a type is not an event of
    /// it.</exception>
    public EventStreamsBuilder PerEventType(AggregateDefinition aggregate, params ReadOnlySpan<Type> eventTypes)
    {
        Need(aggregate);
        Type[] types = eventTypes.IsEmpty ? [.. aggregate.EventTypes] : [.. eventTypes];
        if (types.Contains(null))
            throw new ArgumentNullException(nameof(eventTypes), "An event type is null.");
        if (types.GroupBy(t => t).FirstOrDefault(t => t.Count() > 1) is { } twice)
            throw new InvalidOperationException($"{twice.Key.Name} of '{aggregate.Name}' is given twice.");
        if (types.FirstOrDefault(t => !aggregate.EventTypes.Contains(t)) is { } stranger)
            throw new InvalidOperationException($"{stranger.Name} is not an event that '{aggregate.Name}' evolves by.");
        if (_eventTypes.Exists(e => e.Aggregate == aggregate))
            throw new InvalidOperationException($"The event streams '{_name}' already split '{aggregate.Name}' by event type.");
        _eventTypes.Add(new EventTypesPart(_name, aggregate, types));
        return this;
    }

    /// <summary>
    /// Adds amounts up by key and window of the calendar, in a store and in a compacted topic. An event of any age adds to its own window;
    /// one that comes again adds nothing.
    /// </summary>
    /// <param name="name">The name of the store: a lower case letter, then lower case letters, digits and hyphens, at most 64.</param>
    /// <param name="window">The window.</param>
    /// <param name="timeZone">The zone whose days are meant, by IANA's name, such as <c>Europe/Prague</c>.</param>
    /// <param name="configure">Says which events add what.</param>
    /// <exception cref="InvalidInputException">The name is not of that form, or the zone is not known.</exception>
    /// <exception cref="InvalidOperationException">The name is taken, or an aggregate type is not read.</exception>
    public EventStreamsBuilder Totals(string name, CalendarWindow window, string timeZone, Action<TotalsBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        ArgumentNullException.ThrowIfNull(timeZone);
        Name(name, "totals");
        var totals = new TotalsBuilder(name);
        configure(totals);
        if (totals.Selectors.Count == 0)
            throw new InvalidOperationException($"The totals '{name}' of '{_name}' add nothing: call {nameof(TotalsBuilder.Add)}.");
        foreach ((AggregateDefinition source, _) in totals.Selectors.Keys)
            Need(source);
        _totals.Add(new TotalsPart(name, new Calendar(window, timeZone), timeZone,
            new Dictionary<(AggregateDefinition, Type), Func<RecordedEvent, TotalEntry?>>(totals.Selectors)));
        return this;
    }

    /// <summary>
    /// Joins each aggregate of <paramref name="left"/> with the one of <paramref name="right"/> that it refers to, and keeps the result in
    /// a compacted topic <c>definition.name</c>, keyed by the id of the left one: written anew whenever either of them changes, or the left
    /// one refers to another. Both must have snapshots here.
    /// </summary>
    /// <param name="name">The name: a lower case letter, then lower case letters, digits and hyphens, at most 64.</param>
    /// <param name="left">The aggregate type that refers.</param>
    /// <param name="right">The aggregate type that is referred to.</param>
    /// <param name="on">The id of the right aggregate; null or empty: the left one refers to none, and has no result. It may
    /// change. Pure.</param>
    /// <param name="select">The result; the right state is null while there is no such aggregate. Null: a tombstone. Pure.</param>
    /// <exception cref="InvalidInputException">The name is not of that form.</exception>
    /// <exception cref="InvalidOperationException">The name is taken, or one of them has no snapshots here.</exception>
    public EventStreamsBuilder Join<TLeft, TRight, TResult>(string name, AggregateDefinition<TLeft> left,
        AggregateDefinition<TRight> right, Func<TLeft, string?> on, Func<TLeft, TRight?, TResult?> select)
        where TLeft : class
        where TRight : class
        where TResult : class, IAvroRecord<TResult>
    {
        ArgumentNullException.ThrowIfNull(on);
        ArgumentNullException.ThrowIfNull(select);
        Name(name, "join");
        foreach (AggregateDefinition side in (AggregateDefinition[])[left, right])
        {
            Need(side);
            if (!_snapshots.Exists(s => s.Aggregate == side))
                throw new InvalidOperationException(
                    $"The join '{name}' of '{_name}' needs the snapshots of '{side.Name}': call {nameof(Snapshot)} before.");
        }

        _joins.Add(new JoinPart(name, left, right, typeof(TResult), state => on((TLeft)state),
            (leftState, rightState) => select((TLeft)leftState, (TRight?)rightState)));
        return this;
    }

    /// <summary>
    /// Adds what the DSL of Streamiz can say, behind all else. What <see cref="EventSources"/> gives has this library's serdes and the
    /// headers of the events; repeats after a crash come to it unless it reads <see cref="EventSources.Snapshots{TState}"/>.
    /// </summary>
    /// <param name="build">Adds to the topology; it is called at every start.</param>
    /// <param name="types">The Avro types besides events and states that it reads or writes with this library's serdes.</param>
    public EventStreamsBuilder Topology(Action<StreamBuilder, EventSources> build, params ReadOnlySpan<Type> types)
    {
        ArgumentNullException.ThrowIfNull(build);
        foreach (Type type in types)
        {
            RecordTypes.Of(type);
            _otherTypes.Add(type);
        }

        _topologies.Add(build);
        return this;
    }

    /// <summary>The definition as described so far.</summary>
    /// <exception cref="InvalidOperationException">It reads or makes nothing, or two of its parts would have one topic.</exception>
    public EventStreamsDefinition Build()
    {
        if (_sources.Count == 0)
            throw new InvalidOperationException($"The event streams '{_name}' read nothing: call {nameof(From)} at least once.");
        if (_snapshots.Count + _eventTypes.Count + _totals.Count + _topologies.Count == 0)
            throw new InvalidOperationException($"The event streams '{_name}' make nothing of what they read.");
        var definition = new EventStreamsDefinition(_name, [.. _sources])
        {
            Snapshots = [.. _snapshots],
            EventTypes = [.. _eventTypes],
            Totals = [.. _totals],
            Joins = [.. _joins],
            Topologies = [.. _topologies],
            OtherTypes = [.. _otherTypes],
        };
        if (definition.Topics.GroupBy(t => t).FirstOrDefault(t => t.Count() > 1) is { } twice)
            throw new InvalidOperationException(
                $"Two parts of the event streams '{_name}' would write to the topic {twice.Key}: give one of them another name.");
        return definition;
    }

    private void Need(AggregateDefinition aggregate)
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        if (!_sources.Contains(aggregate))
            throw new InvalidOperationException(
                $"The event streams '{_name}' do not read the aggregate type '{aggregate.Name}': call {nameof(From)} before.");
    }

    private void Name(string name, string what)
    {
        StreamNames.CheckPart(_name, name);
        if (!_names.Add(name))
            throw new InvalidOperationException($"The event streams '{_name}' have a part '{name}' already: the {what} need another name.");
    }
}
