using System.Globalization;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Values of topic configs by what they mean: brokers tell a value in their own words (<c>0.10</c> comes back as <c>0.1</c>, <c>compact,
/// delete</c> as <c>compact,delete</c>), and a difference of words is none.
/// </summary>
internal static class ConfigValues
{
    private static readonly HashSet<string> Lists = ["cleanup.policy", "leader.replication.throttled.replicas",
        "follower.replication.throttled.replicas"];

    private static readonly HashSet<string> Booleans =
        ["preallocate", "unclean.leader.election.enable", "remote.storage.enable", "remote.log.copy.disable",
            "remote.log.delete.on.disable", "message.downconversion.enable"];

    private static readonly HashSet<string> Texts = ["compression.type", "message.timestamp.type", "message.format.version"];

    /// <summary>
    /// Whether <paramref name="one"/> and <paramref name="other"/> mean the same as the value of <paramref name="config"/>; null is not a
    /// value.
    /// </summary>
    public static bool AreSame(string config, string? one, string? other)
    {
        if (one is null || other is null)
            return one == other;
        if (Lists.Contains(config))
            return Items(one).ToHashSet(StringComparer.Ordinal).SetEquals(Items(other)); // an order or a repetition has no meaning to Kafka
        (string first, string second) = (one.Trim(), other.Trim());
        if (Booleans.Contains(config))
            return string.Equals(first, second, StringComparison.OrdinalIgnoreCase);
        // All others that topics have are numbers; of one that is not known here, it is told by its value.
        return !Texts.Contains(config)
            && TryNumber(first, out double a, out decimal? exactA)
            && TryNumber(second, out double b, out decimal? exactB)
            ? (exactA, exactB) is ({ } x, { } y) ? x == y : a.Equals(b)
            : string.Equals(first, second, StringComparison.Ordinal)
                || (IsBoolean(first) && IsBoolean(second) && string.Equals(first, second, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The items of a list.</summary>
    public static IEnumerable<string> Items(string list) =>
        list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private static bool IsBoolean(string value) => bool.TryParse(value, out _);

    // Limits such as 9223372036854775807 are exact as a decimal, and not as a double.
    private static bool TryNumber(string text, out double number, out decimal? exact)
    {
        exact = decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal value) ? value : null;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number);
    }
}
