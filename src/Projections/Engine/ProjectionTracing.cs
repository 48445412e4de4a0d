using System.Diagnostics;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Projections;

/// <summary>The span of one transaction of a read model.</summary>
internal static class ProjectionTracing
{
    /// <summary>
    /// Runs <paramref name="write"/> within a span that links to the decisions which made the events. Called only while somebody listens.
    /// </summary>
    public static async Task Around(string projection, IReadOnlyList<RecordedEvent> events, Func<Task> write)
    {
        Activity.Current = null; // whoever started the engine is not who made the events
        using Activity? projecting = Tracing.Start("project", "process", ActivityKind.Consumer, projection,
            links: events.Select(e => Tracing.ContextOf(e.TraceParent, e.TraceState)));
        projecting?.SetTag("messaging.batch.message_count", events.Count);
        projecting?.SetTag("kes.read_model", projection);
        try
        {
            await write().ConfigureAwait(false);
        }
        catch (Exception failed)
        {
            Tracing.Fail(projecting, failed);
            throw;
        }
    }
}
