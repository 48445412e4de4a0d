using System.Text;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// What an operator asks of dead letters. It travels as a record of the command topic, in the partition of the letters, with headers only:
/// the owner acts on it in the order of the commands, in the transaction that takes its offset, so it takes effect once.
/// </summary>
/// <param name="IsDiscard">Whether letters are to be discarded; else processed again.</param>
/// <param name="Offset">This letter alone; null: all of the aggregate, in order.</param>
/// <param name="By">Who asks.</param>
/// <param name="Reason">Why; needed to discard.</param>
public sealed record DeadLetterRequest(bool IsDiscard, long? Offset, string By, string? Reason)
{
    private const string Header = "kes_deadletters";
    private const string Retry = "retry";
    private const string Discard = "discard";

    /// <summary>Whether a record of the command topic is such a request and no command.</summary>
    public static bool Is(Headers headers) => CloudEventHeaders.Find(headers, Header) is not null;

    /// <summary>
    /// The record that asks, under the id <paramref name="id"/>; the answer goes to <paramref name="replyTo"/>, as that of a command does.
    /// </summary>
    public Message<byte[]?, byte[]?> ToMessage(AggregateId aggregateId, CommandId id, string replyTo)
    {
        var headers = new Headers
        {
            { Header, Encoding.UTF8.GetBytes(IsDiscard ? Discard : Retry) },
            { CloudEventHeaders.Id, Encoding.UTF8.GetBytes(id.Value) },
            { CloudEventHeaders.ReplyTo, Encoding.UTF8.GetBytes(replyTo) },
            { DeadLetterFormat.ByHeader, Encoding.UTF8.GetBytes(By) },
        };
        if (Offset is { } offset)
            headers.Add(DeadLetterFormat.DeadLetterHeader, CloudEventHeaders.Encode(offset));
        if (Reason is not null)
            headers.Add(DeadLetterFormat.ReasonHeader, Encoding.UTF8.GetBytes(Reason));
        return new Message<byte[]?, byte[]?>
        {
            Key = aggregateId.IsDefault ? null : Encoding.UTF8.GetBytes(aggregateId.Value), Headers = headers,
        };
    }

    /// <summary>Reads a request; false when it is not one that can be acted on, with the reason.</summary>
    public static bool TryRead(Headers headers, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out DeadLetterRequest? request,
        out string error)
    {
        request = null;
        string verb = Text(headers, Header) ?? "";
        if (verb is not (Retry or Discard))
        {
            error = $"The header {Header} is '{verb}'; it must be {Retry} or {Discard}.";
            return false;
        }

        long? offset = null;
        if (CloudEventHeaders.Find(headers, DeadLetterFormat.DeadLetterHeader) is { } text)
        {
            if (!CloudEventHeaders.TryDecodeNumber(text, out long number) || number < 0)
            {
                error = $"The header {DeadLetterFormat.DeadLetterHeader} is '{Encoding.UTF8.GetString(text)}'; it must be an offset of "
                    + $"the dead-letters topic.";
                return false;
            }

            offset = number;
        }

        string? reason = Text(headers, DeadLetterFormat.ReasonHeader);
        if (verb == Discard && string.IsNullOrWhiteSpace(reason))
        {
            error = $"The header {DeadLetterFormat.ReasonHeader} is missing: nothing is discarded without a reason.";
            return false;
        }

        error = "";
        request = new DeadLetterRequest(verb == Discard, offset, Text(headers, DeadLetterFormat.ByHeader) ?? "unknown", reason);
        return true;
    }

    private static string? Text(Headers headers, string name) =>
        CloudEventHeaders.Find(headers, name) is { } value ? Encoding.UTF8.GetString(value) : null;
}
