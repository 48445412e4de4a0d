using System.Globalization;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Compares the event types that the registry has for an events topic, in every version, with those of the code, before a node serves:
/// with a warm store nothing else would notice that a type was renamed or removed, or that an old schema of it does not resolve, until a
/// restore parks every aggregate that has such an event. Types that the code upcasts it has; those that it ignores are said once.
/// </summary>
internal sealed partial class UnknownEventTypes(AvroMessageSerde serde, TopicFamily topics, KafkaConnection connection,
    AggregateDefinition definition, ILogger logger)
{
    /// <summary>
    /// Throws when the log has events of types that the code does not have, or of schemas that it does not read; told to
    /// <paramref name="ignore"/> them it warns instead. The log is read only when there is such a type.
    /// </summary>
    /// <exception cref="LogRefusedException">It has; the message names types, counts and first offsets.</exception>
    public async Task Check(bool ignore, CancellationToken cancellationToken)
    {
        IReadOnlyList<UnknownMessageType> unknown;
        try
        {
            unknown = await serde.FindUnknownTypesAsync(topics.Events, [.. definition.EventTypes, .. definition.UpcastTypes],
                cancellationToken).ConfigureAwait(false);
        }
        catch (SchemaRegistryException refused)
        {
            LogNotCompared(logger, refused, topics.Events);
            return;
        }

        ILookup<bool, UnknownMessageType> byWithdrawn = unknown.ToLookup(u => definition.IgnoredTypes.Contains(u.FullName));
        if (byWithdrawn[true].Any())
            LogWithdrawn(logger, definition.Name, topics.Events, string.Join(", ", byWithdrawn[true].Select(u => u.FullName)));
        unknown = [.. byWithdrawn[false]];
        if (unknown.Count == 0)
            return;
        if (ignore)
        {
            LogIgnored(logger, topics.Events, string.Join(", ", unknown.Select(u => u.FullName)),
                string.Join(" ", unknown.SelectMany(u => u.Reasons.Values)));
            return;
        }

        HashSet<int> ids = [.. unknown.SelectMany(u => u.SchemaIds)];
        IReadOnlyDictionary<int, (long Count, TopicPartitionOffset First)> found = await Task.Run(() =>
            new EventScan(connection, topics).CountBySchema(ids, cancellationToken), cancellationToken).ConfigureAwait(false);
        string[] inLog = [.. unknown.Select(u => Describe(u, found)).OfType<string>()];
        if (inLog.Length > 0)
        {
            throw new LogRefusedException(
                $"{topics.Events} has events that the {definition.Name} of this program does not evolve: {string.Join("; ", inLog)}. Was "
                    + $"a type renamed or removed, or a field added without a default? Give it back (a renamed one keeps its old "
                    + $"name in 'aliases', a new field gets a default; "
                    + $"{nameof(AggregateBuilder<object>.Upcasts)} reads its events as others, "
                    + $"{nameof(AggregateBuilder<object>.Ignores)} passes them over), "
                + "or start with --ignore-unknown-events: then aggregates that have such events are parked when they are restored, and "
                + "read models stand still at them, until code that has the types is started "
                + "or an operator gives the events up with 'kes dead-letters discard'.");
        }
    }

    private static string? Describe(UnknownMessageType type, IReadOnlyDictionary<int, (long Count, TopicPartitionOffset First)> found)
    {
        int[] ids = [.. type.SchemaIds.Where(found.ContainsKey)];
        if (ids.Length == 0)
            return null;
        TopicPartitionOffset first = ids.Select(id => found[id].First).MinBy(f => (f.Partition.Value, f.Offset.Value))!;
        return string.Create(CultureInfo.InvariantCulture,
            $"{type.FullName}, {ids.Sum(id => found[id].Count):N0} of them, the first at {first.Partition.Value}@{first.Offset.Value} (")
            + string.Join(" ", ids.Select(id => type.Reasons[id])) + ")";
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The Schema Registry does not tell its subjects: whether {Topic} has events of types that this program does not have "
            + "cannot be compared")]
    private static partial void LogNotCompared(ILogger logger, Exception refused, string topic);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "The {Aggregate} ignores types of events that {Topic} may have: {Types}. They are passed over")]
    private static partial void LogWithdrawn(ILogger logger, string aggregate, string topic, string types);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Types of events that are registered for {Topic} are not in this program, or not in each schema, and it was told to go "
            + "on: {Types}. Aggregates that have such events are parked when they are restored. {Reasons}")]
    private static partial void LogIgnored(ILogger logger, string topic, string types, string reasons);
}
