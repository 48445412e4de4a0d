using System.Text;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Keeps the words of a refusal within what an answer and an aggregate's memory may hold. They often quote what was sent: without a bound a long input would become a
/// reply that Kafka does not take, and stop its partition.
/// </summary>
internal static class RefusalText
{
    /// <summary>The longest message and the longest detail, in UTF-16 units.</summary>
    public const int MaxLength = 2_000;

    /// <summary>The most details.</summary>
    public const int MaxDetails = 32;

    private const string Cut = "…";
    private const char FirstSurrogate = '\ud800';
    private const char LastSurrogate = '\udfff';

    /// <summary>The answer with its texts cut to their bounds.</summary>
    public static CommandReply Bounded(CommandReply reply) =>
        IsWithin(reply)
            ? reply
            : reply with
            {
                Code = Shorten(reply.Code),
                Message = Shorten(reply.Message),
                Details = reply.Details.Take(MaxDetails).GroupBy(d => Shorten(d.Key)!).ToDictionary(d => d.Key, d => Shorten(d.First().Value) ?? ""),
            };

    /// <summary>About how many bytes the texts of an answer take in memory.</summary>
    public static long BytesOf(CommandReply reply)
    {
        long length = (reply.Code?.Length ?? 0) + (reply.Message?.Length ?? 0);
        if (reply.Details.Count > 0)
            length += reply.Details.Sum(d => (long)d.Key.Length + d.Value.Length);
        return length * sizeof(char);
    }

    private static bool IsWithin(CommandReply reply) =>
        IsWithin(reply.Code ?? "") && IsWithin(reply.Message ?? "") && reply.Details.Count <= MaxDetails && reply.Details.All(d => IsWithin(d.Key) && IsWithin(d.Value));

    // Half a character has no UTF-8: an answer with one could not be sent.
    private static bool IsWithin(string? text) => text?.Length <= MaxLength && !text.AsSpan().ContainsAnyInRange(FirstSurrogate, LastSurrogate);

    private static string? Shorten(string? text)
    {
        if (text is null || IsWithin(text))
            return text;
        if (text.Length > MaxLength)
        {
            int length = MaxLength - Cut.Length;
            text = string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[length - 1]) ? length - 1 : length), Cut);
        }

        return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
    }
}
