using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using KafkaEventSourcing.Subscriptions;
using Microsoft.Extensions.DependencyInjection;

namespace KafkaEventSourcing.Hosting;

/// <summary>What an application is made of: its aggregates and its read models. Immutable.</summary>
public sealed class ApplicationDefinition
{
    internal ApplicationDefinition(string name, string summary, IReadOnlyList<AggregateDefinition> aggregates,
        IReadOnlyList<ProjectionDefinition> projections, IReadOnlyList<SubscriptionDefinition> subscriptions,
        IReadOnlyList<object> examples)
    {
        (Name, Summary, Aggregates, Projections, Subscriptions, Examples) = (name, summary, aggregates, projections,
            subscriptions, examples);
        CheckAggregates();
        foreach (ProjectionDefinition projection in projections)
        {
            _ = AggregatesOf(projection);
            ReadModelDocuments.Check(projection, SampleValue.Of(projection.DocumentType));
        }

        Indexes = [.. projections.SelectMany(MongoIndex.Of)];

        if (subscriptions.GroupBy(s => s.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new InvalidOperationException($"Two subscriptions of the application '{name}' are named '{twice.Key}'.");
        foreach (SubscriptionDefinition subscription in subscriptions)
        {
            if (subscription.Aggregates.FirstOrDefault(a => !aggregates.Contains(a)) is { } foreign)
                throw new InvalidOperationException(
                    $"The subscription '{subscription.Name}' reads the events of '{foreign.Name}', which the application "
                        + $"'{name}' does not have.");
        }

        Type[] known = [.. aggregates.SelectMany(a => a.CommandTypes.Append(a.StateType)), .. projections.Select(p => p.DocumentType)];
        if (examples.FirstOrDefault(e => !known.Contains(e.GetType())) is { } stranger)
            throw new InvalidOperationException(
                $"The example of {stranger.GetType().Name} is of no command, state or document of the application '{name}'.");
    }

    /// <summary>The name: first part of topic names, and the MongoDB database.</summary>
    public string Name { get; }

    /// <summary>One line about the application, for its help and its API page.</summary>
    public string Summary { get; }

    /// <summary>The aggregate types.</summary>
    public IReadOnlyList<AggregateDefinition> Aggregates { get; }

    /// <summary>The read models.</summary>
    public IReadOnlyList<ProjectionDefinition> Projections { get; }

    /// <summary>Whether its nodes use MongoDB: it has a read model.</summary>
    public bool NeedsMongoDB => Projections.Count > 0;

    /// <summary>The application code that is called for committed events.</summary>
    public IReadOnlyList<SubscriptionDefinition> Subscriptions { get; }

    /// <summary>The indexes of the read models, as they are stored.</summary>
    public IReadOnlyList<MongoIndex> Indexes { get; }

    /// <summary>Commands, states and documents that show what they look like, for the API page.</summary>
    public IReadOnlyList<object> Examples { get; }

    /// <summary>Adds what handlers of subscriptions take to a container; null: nothing.</summary>
    internal Action<IServiceCollection>? ConfigureServices { get; init; }

    private void CheckAggregates()
    {
        if (Aggregates.GroupBy(a => a.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new InvalidOperationException($"Two aggregate types of the application '{Name}' are named '{twice.Key}'.");
        // A process names the type of a command, and not who decides it.
        if (Aggregates.Any(a => a.Reacts)
            && Aggregates.SelectMany(a => a.CommandTypes.Where(a.Accepts).Select(c => (Command: c, a.Name))).GroupBy(c => c.Command)
                .FirstOrDefault(g => g.Count() > 1) is { } shared)
            throw new InvalidOperationException($"The application '{Name}' has a process, and the aggregate types "
                + $"{string.Join(" and ", shared.Select(c => $"'{c.Name}'"))} decide {shared.Key.Name}: where a process would send it is "
                + $"not known. Give each a command type of its own.");
        foreach (AggregateDefinition aggregate in Aggregates.Where(a => a.IgnoredTypes.Count > 0))
            CheckIgnored(aggregate);
    }

    // What has the name, or had it, would be passed over and not read.
    private static void CheckIgnored(AggregateDefinition aggregate)
    {
        foreach (AvroRecordType type in aggregate.EventTypes.Concat(aggregate.UpcastTypes).Select(EventSourcedNode.RecordTypeOf))
        {
            if (aggregate.IgnoredTypes.FirstOrDefault(ignored => ignored == type.FullName || type.Aliases.Contains(ignored)) is { } both)
                throw new InvalidOperationException($"The aggregate '{aggregate.Name}' ignores {both}, and reads events of that name as "
                    + $"{type.FullName}, {(both == type.FullName ? "whose name it is" : "which has it as an alias")}: take one of the two "
                    + "away.");
        }
    }

    /// <summary>The aggregate types whose events <paramref name="projection"/> reads, in the order of the application.</summary>
    /// <exception cref="InvalidOperationException">It reads an event that none of them has.</exception>
    internal IReadOnlyList<AggregateDefinition> AggregatesOf(ProjectionDefinition projection)
    {
        if (projection.EventTypes.FirstOrDefault(t => !Aggregates.Any(a => a.EventTypes.Contains(t))) is { } stranger)
            throw new InvalidOperationException($"The projection '{projection.Name}' reads {stranger.Name}, which "
                + (Aggregates.FirstOrDefault(a => a.UpcastTypes.Contains(stranger)) is { } upcasting
                    ? $"'{upcasting.Name}' upcasts: no reader sees it. Read what it is upcast to."
                    : $"is an event of no aggregate type of the application '{Name}'."));
        return [.. Aggregates.Where(a => projection.EventTypes.Any(a.EventTypes.Contains))];
    }

    /// <summary>The topics of <paramref name="aggregate"/>, those of the subscriptions to its events among them.</summary>
    internal TopicFamily TopicsOf(AggregateDefinition aggregate) =>
        new(Name, aggregate.Name) { Subscriptions = [.. Subscriptions.Where(s => s.Aggregates.Contains(aggregate)).Select(s => s.Name)] };

    /// <summary>The read models that are folded from several aggregate types, by their names, and these types.</summary>
    internal IReadOnlyDictionary<string, IReadOnlyList<string>> SharedReadModels() =>
        Projections.Select(p => (p.Name, Types: AggregatesOf(p))).Where(p => p.Types.Count > 1).ToDictionary(p => p.Name,
            IReadOnlyList<string> (p) => [.. p.Types.Select(a => a.Name)]);
}
