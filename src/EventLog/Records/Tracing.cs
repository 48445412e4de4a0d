using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Spans of this library, by OpenTelemetry's conventions for messaging: one source for all of its packages. Without a listener nothing is
/// made, and contexts of others are handed on as they came.
/// </summary>
public static class Tracing
{
    /// <summary>The name of the source, for <c>AddSource</c>.</summary>
    public const string SourceName = "KafkaEventSourcing";

    /// <summary>The most links of one span: those of the first of a batch.</summary>
    public const int MaxLinks = 128;

    /// <summary>The source.</summary>
    public static ActivitySource Source { get; } = new(SourceName);

    /// <summary>Whether anybody listens: what spans need is looked at only then.</summary>
    public static bool IsOn => Source.HasListeners();

    /// <summary>The context in the headers <c>traceparent</c> and <c>tracestate</c>; default: there is none, or it is malformed.</summary>
    public static ActivityContext ContextOf(byte[]? traceParent, byte[]? traceState) =>
        traceParent is null
            ? default
            : ContextOf(Encoding.UTF8.GetString(traceParent), traceState is null ? null : Encoding.UTF8.GetString(traceState));

    /// <summary>The context of the texts of <c>traceparent</c> and <c>tracestate</c>; default: there is none, or it is malformed.</summary>
    public static ActivityContext ContextOf(string? traceParent, string? traceState) =>
        traceParent is not null && ActivityContext.TryParse(traceParent, traceState, isRemote: true, out ActivityContext context)
            ? context
            : default;

    /// <summary>
    /// The <c>traceparent</c> of <paramref name="activity"/>; null: there is none, or its ids are not those of W3C, as in an application
    /// with hierarchical ones.
    /// </summary>
    internal static string? ParentOf(Activity? activity) => activity?.IdFormat == ActivityIdFormat.W3C ? activity.Id : null;

    /// <summary>
    /// The <c>tracestate</c> of <paramref name="command"/>: its own, or that of the current activity, whose context it has then.
    /// </summary>
    public static string? StateOf(CommandEnvelope command)
    {
        ArgumentNullException.ThrowIfNull(command);
        return command.TraceParent is null ? Activity.Current?.TraceStateString : command.TraceState;
    }

    /// <summary>Starts a span about messages.</summary>
    /// <param name="operation">What is done, as <c>append</c>; the span is named by it and by <paramref name="subject"/>.</param>
    /// <param name="type">Its type of the conventions: <c>send</c>, <c>receive</c> or <c>process</c>.</param>
    /// <param name="kind">Its kind.</param>
    /// <param name="subject">What it is done to or by: a topic, a read model.</param>
    /// <param name="parent">Its parent; default: the current activity, or none.</param>
    /// <param name="links">The contexts of the messages; the first <see cref="MaxLinks"/> different ones are linked to.</param>
    /// <returns>Null: nobody listens, or it is not sampled.</returns>
    public static Activity? Start(string operation, string type, ActivityKind kind, string subject, ActivityContext parent = default,
        IEnumerable<ActivityContext>? links = null)
    {
        if (!IsOn)
            return null;
        Activity? activity = Source.StartActivity($"{operation} {subject}", kind, parent, tags: null,
            links?.Where(l => l != default).Distinct().Take(MaxLinks).Select(l => new ActivityLink(l)));
        activity?.SetTag("messaging.system", "kafka");
        activity?.SetTag("messaging.operation.name", operation);
        activity?.SetTag("messaging.operation.type", type);
        return activity;
    }

    /// <summary>Says which topic, and which partition of it, <paramref name="activity"/> is about.</summary>
    public static void SetTopic(Activity? activity, string topic, int partition)
    {
        activity?.SetTag("messaging.destination.name", topic);
        activity?.SetTag("messaging.destination.partition.id", partition.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Marks <paramref name="activity"/> as failed, by the type of what was thrown.</summary>
    public static void Fail(Activity? activity, Exception failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        activity?.SetTag("error.type", failure.GetType().FullName);
        activity?.SetStatus(ActivityStatusCode.Error, failure.Message);
    }
}
