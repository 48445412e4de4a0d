using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Where the commands of processes go, and the outcomes of these commands: the command topics of one application. Immutable.
/// </summary>
internal sealed class ProcessRoutes
{
    private readonly FrozenDictionary<Type, TopicEncoder> _byCommand;
    private readonly FrozenDictionary<string, TopicEncoder> _byProcess;

    private ProcessRoutes(Dictionary<Type, TopicEncoder> byCommand, Dictionary<string, TopicEncoder> byProcess) =>
        (_byCommand, _byProcess) = (byCommand.ToFrozenDictionary(), byProcess.ToFrozenDictionary());

    /// <summary>The routes from <paramref name="definition"/>: to all aggregates when it is a process, and back to all processes.</summary>
    public static async Task<ProcessRoutes> Prepare(
        AggregateDefinition definition, string application, IReadOnlyList<AggregateDefinition> aggregates, AvroMessageSerde serde,
        CancellationToken cancellationToken)
    {
        var byCommand = new Dictionary<Type, TopicEncoder>();
        var byProcess = new Dictionary<string, TopicEncoder>();
        foreach (AggregateDefinition other in aggregates)
        {
            string commands = new TopicFamily(application, other.Name).Commands;
            if (definition.Reacts)
            {
                Type[] types = [.. other.CommandTypes.Where(other.Accepts)];
                TopicEncoder encoder = await serde.PrepareAsync(commands, types, cancellationToken).ConfigureAwait(false);
                foreach (Type type in types)
                    byCommand.Add(type, encoder);
            }

            if (other.Reacts && other.CommandTypes.Contains(typeof(CommandCompleted)))
                byProcess.Add(other.Name,
                    await serde.PrepareAsync(commands, [typeof(CommandAnswered)], cancellationToken).ConfigureAwait(false));
        }

        return new ProcessRoutes(byCommand, byProcess);
    }

    public bool TryFind(Type command, [NotNullWhen(true)] out TopicEncoder? encoder) => _byCommand.TryGetValue(command, out encoder);

    public bool TryFind(string process, [NotNullWhen(true)] out TopicEncoder? encoder) => _byProcess.TryGetValue(process, out encoder);
}
