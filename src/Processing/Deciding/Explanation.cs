using System.Collections.ObjectModel;
using System.Text;

namespace KafkaEventSourcing.Processing;

/// <summary>The words of an outcome.</summary>
/// <param name="Code">A stable name; null: there is none.</param>
/// <param name="Message">One sentence for a person; null: there is none.</param>
/// <param name="Expected">Of a conflict: what the sender believed, as text.</param>
/// <param name="Details">Figures by name.</param>
internal sealed record Explanation(string? Code, string? Message, string? Expected, IReadOnlyDictionary<string, string> Details)
{
    /// <summary>The longest code, message and detail, in UTF-16 units.</summary>
    public const int MaxLength = 2_000;

    /// <summary>The most details.</summary>
    public const int MaxDetails = 32;

    private const string Cut = "…";
    private const char FirstSurrogate = '\ud800';
    private const char LastSurrogate = '\udfff';

    /// <summary>No figures.</summary>
    public static IReadOnlyDictionary<string, string> NoDetails { get; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>About how many bytes its texts take in memory.</summary>
    public long Bytes
    {
        get
        {
            long length = (Code?.Length ?? 0) + (Message?.Length ?? 0);
            foreach ((string name, string value) in Details)
                length += name.Length + value.Length;
            return length * sizeof(char);
        }
    }

    /// <summary>
    /// The words within what an answer and an aggregate's memory may hold. They often quote what was sent: without a bound a long input
    /// would become a reply that Kafka does not take, and stop its partition.
    /// </summary>
    public static Explanation Bounded(string? code, string? message, IReadOnlyDictionary<string, string>? details = null)
    {
        details ??= NoDetails;
        if (details.Count > MaxDetails || details.Any(d => !IsWithin(d.Key) || !IsWithin(d.Value)))
            details = details.Take(MaxDetails).GroupBy(d => Shorten(d.Key)!).ToDictionary(d => d.Key, d => Shorten(d.First().Value) ?? "");
        return new Explanation(Shorten(code), Shorten(message), null, details);
    }

    // Half a character has no UTF-8: an answer with one could not be sent.
    private static bool IsWithin(string? text) => text?.Length <= MaxLength
        && !text.AsSpan().ContainsAnyInRange(FirstSurrogate, LastSurrogate);

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
