using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>The headers of events that a test makes, as a node writes them.</summary>
internal static class EventHeaders
{
    public static Headers Of(AggregateDefinition aggregate, string id, long version, DateTimeOffset time, CommandId command, object @event)
    {
        byte[] caused = Encoding.UTF8.GetBytes(command.Value);
        return new Headers
        {
            { CloudEventHeaders.SpecVersion, CloudEventHeaders.SpecVersion10 },
            { CloudEventHeaders.Id, Encoding.UTF8.GetBytes($"{id}-{version}") },
            { CloudEventHeaders.Source, Encoding.UTF8.GetBytes($"/test/{aggregate.Name}") },
            { CloudEventHeaders.Type, Encoding.UTF8.GetBytes(RecordTypes.Of(@event.GetType()).FullName) },
            { CloudEventHeaders.Subject, Encoding.UTF8.GetBytes(id) },
            { CloudEventHeaders.Time, CloudEventHeaders.Encode(time) },
            { CloudEventHeaders.Sequence, CloudEventHeaders.Encode(version) },
            { CloudEventHeaders.CorrelationId, caused },
            { CloudEventHeaders.CausationId, caused },
        };
    }
}
