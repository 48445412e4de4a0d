using System.Text.Json;
using KafkaEventSourcing.Avro;

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
    }

    /// <summary>The aggregate type.</summary>
    public AggregateDefinition Aggregate { get; }

    /// <summary>The topic of each event type that has one.</summary>
    public IReadOnlyDictionary<Type, string> TopicOf { get; }

    // Of Bank.AccountOpened, account-opened, as in URLs.
    private static string KebabOf(string fullName) =>
        JsonNamingPolicy.KebabCaseLower.ConvertName(fullName[(fullName.LastIndexOf('.') + 1)..]);
}
