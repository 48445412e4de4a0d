using System.Text.Json;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A topic per event type of one aggregate type.</summary>
internal sealed class EventTypesPart
{
    public EventTypesPart(string definition, AggregateDefinition aggregate, IReadOnlyCollection<Type> types)
    {
        Aggregate = aggregate;
        TopicOf = types.ToDictionary(t => t, t => $"{definition}.{aggregate.Name}.{KebabOf(RecordTypes.Of(t).FullName)}");
        if (TopicOf.GroupBy(t => t.Value).FirstOrDefault(g => g.Count() > 1) is { } same)
            throw new InvalidOperationException(
                $"The event types {string.Join(" and ", same.Select(t => t.Key.FullName))} of '{aggregate.Name}' would share the topic "
                    + $"{same.Key}: take one of them.");
        // Whoever looks at a cluster would take it for a topic of an application's own.
        IReadOnlyList<string> family = new TopicFamily(definition, aggregate.Name).All(isProcess: true);
        if (TopicOf.FirstOrDefault(t => family.Contains(t.Value)) is { Key: { } type } taken)
            throw new InvalidOperationException($"The topic {taken.Value} of the event type {type.FullName} would be named as one of an "
                + "application's own: leave the type out, or rename it.");
    }

    /// <summary>The aggregate type.</summary>
    public AggregateDefinition Aggregate { get; }

    /// <summary>The topic of each event type that has one.</summary>
    public IReadOnlyDictionary<Type, string> TopicOf { get; }

    // Of Bank.AccountOpened, account-opened, as in URLs.
    private static string KebabOf(string fullName) =>
        JsonNamingPolicy.KebabCaseLower.ConvertName(fullName[(fullName.LastIndexOf('.') + 1)..]);
}
