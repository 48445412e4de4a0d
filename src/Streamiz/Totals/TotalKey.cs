using System.Globalization;

namespace KafkaEventSourcing.Streamiz;

/// <summary>The key of a total: <c>key/2026-11-01</c>.</summary>
internal static class TotalKey
{
    private const string Form = "yyyy-MM-dd";
    private const int Suffix = 1 + 10;

    /// <summary>The key of <paramref name="key"/> in the window that begins on <paramref name="firstDay"/>.</summary>
    public static string Of(string key, DateOnly firstDay) => $"{key}/{firstDay.ToString(Form, CultureInfo.InvariantCulture)}";

    /// <summary>What <see cref="Of"/> was given.</summary>
    public static (string Key, DateOnly FirstDay) Parse(string text) =>
        (text[..^Suffix], DateOnly.ParseExact(text.AsSpan(text.Length - Suffix + 1), Form, CultureInfo.InvariantCulture));
}
