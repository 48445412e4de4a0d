using System.Globalization;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Hosting.Nodes;

/// <summary>
/// How nodes of one application speak to one another by HTTP: commands and replies in the very bytes that the topics carry, all else in
/// headers, percent-encoded as the CloudEvents HTTP binding has it. These paths answer for this node alone and never pass a request on, so
/// that no request goes in circles.
/// </summary>
internal static class NodeProtocol
{
    /// <summary>The id of the node that forwards; a request without it is not one of a node.</summary>
    public const string ForwardedBy = "Kes-Forwarded-By";

    public const string AggregateId = "ce-subject";
    public const string CommandId = "ce-id";
    public const string Time = "ce-time";
    public const string CorrelationId = "ce-correlationid";
    public const string TraceParent = "kes-traceparent";
    public const string TraceState = "kes-tracestate";
    public const string ExpectedVersion = "kes-expectedversion";
    public const string Consistency = "kes-consistency";
    public const string Token = "kes-consistencytoken";
    public const string From = "kes-from";
    public const string Limit = "kes-limit";
    public const string Order = "kes-order";
    public const string Descending = "desc";
    public const string Ascending = "asc";
    public const string GoneFirst = "Kes-Gone-First";
    public const string GoneLast = "Kes-Gone-Last";
    public const string ContentType = "application/vnd.kafka.avro";

    private const string Owner = "Kes-Owner";
    private const string OwnerAddress = "Kes-Owner-Address";
    private const string OwnerGeneration = "Kes-Owner-Generation";
    private const string OwnerStatus = "Kes-Owner-Status";

    /// <summary>The path of commands.</summary>
    public static string CommandsPath(string aggregate) => $"/_node/{aggregate}/commands";

    /// <summary>The path of reads.</summary>
    public static string StatePath(string aggregate) => $"/_node/{aggregate}/state";

    /// <summary>The path of histories.</summary>
    public static string EventsPath(string aggregate) => $"/_node/{aggregate}/events";

    public static string Encode(string text) => Uri.EscapeDataString(text);

    public static string? Decode(string? header) => header is null ? null : Uri.UnescapeDataString(header);

    /// <summary>Says in an answer whom to ask instead.</summary>
    /// <param name="owner">Who is to be asked.</param>
    /// <param name="header">Sets a header of the answer.</param>
    public static void WriteOwner(PartitionOwnership owner, Action<string, string> header)
    {
        header(Owner, Encode(owner.Node));
        header(OwnerGeneration, owner.Generation.ToString(CultureInfo.InvariantCulture));
        header(OwnerStatus, owner.Status.ToString());
        if (owner.Address is { } address)
            header(OwnerAddress, address.AbsoluteUri);
    }

    /// <summary>Whom an answer says to ask instead; null when it does not say.</summary>
    public static PartitionOwnership? ReadOwner(int partition, HttpResponseMessage answer, DateTimeOffset now) =>
        Find(answer, Owner) is { } node
        && long.TryParse(Find(answer, OwnerGeneration), NumberStyles.None, CultureInfo.InvariantCulture, out long generation)
        && Enum.TryParse(Find(answer, OwnerStatus), out OwnerStatus status)
            ? new PartitionOwnership(partition, generation, Decode(node)!,
                Uri.TryCreate(Find(answer, OwnerAddress), UriKind.Absolute, out Uri? address) ? address : null, status, now)
            : null;

    /// <summary>Which events an answer says that the log does not have any more; null: it does not say.</summary>
    public static (long First, long Last)? ReadGone(HttpResponseMessage answer) =>
        long.TryParse(Find(answer, GoneFirst), NumberStyles.None, CultureInfo.InvariantCulture, out long first)
        && long.TryParse(Find(answer, GoneLast), NumberStyles.None, CultureInfo.InvariantCulture, out long last)
            ? (first, last)
            : null;

    private static string? Find(HttpResponseMessage answer, string header) =>
        answer.Headers.TryGetValues(header, out IEnumerable<string>? values) ? values.FirstOrDefault() : null;
}
