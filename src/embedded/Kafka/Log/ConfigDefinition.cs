using System.Globalization;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>The types of configs; the numbers are those of the DescribeConfigs API.</summary>
internal enum ConfigType : sbyte
{
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

/// <summary>
/// A topic config that Kafka documents: its type and default, what it may be, and the broker configs that give the default (most telling
/// first). None of them is sensitive.
/// </summary>
internal sealed record ConfigDefinition(string Name, ConfigType Kind, string Default, params string[] Synonyms)
{
    /// <summary>The least number; null when there is none.</summary>
    public double? Min { get; init; }

    /// <summary>The largest number; null when there is none.</summary>
    public double? Max { get; init; }

    /// <summary>The strings that it, or each item of a list, may be; null for any.</summary>
    public string[]? Allowed { get; init; }

    /// <summary>Why <paramref name="value"/> cannot be taken, in Kafka's words; null when it can.</summary>
    public string? Check(string value)
    {
        string trimmed = value.Trim();
        switch (Kind)
        {
            case ConfigType.Boolean:
                return trimmed.Equals("true", StringComparison.OrdinalIgnoreCase)
                    || trimmed.Equals("false", StringComparison.OrdinalIgnoreCase)
                    ? null
                    : Invalid(value, "Expected value to be either true or false");
            case ConfigType.Int:
                return int.TryParse(trimmed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
                    ? CheckRange(number, trimmed)
                    : Invalid(value, "Not a number of type INT");
            case ConfigType.Long:
                return long.TryParse(trimmed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long large)
                    ? CheckRange(large, trimmed)
                    : Invalid(value, "Not a number of type LONG");
            case ConfigType.Double:
                return double.TryParse(trimmed, NumberStyles.Float, CultureInfo.InvariantCulture, out double fraction)
                    ? CheckRange(fraction, trimmed)
                    : Invalid(value, "Not a number of type DOUBLE");
            case ConfigType.List:
                return Items(value).Select(CheckAllowed).FirstOrDefault(wrong => wrong is not null);
            default:
                return CheckAllowed(trimmed);
        }
    }

    /// <summary>
    /// The value as Kafka tells it, which is what it has read: <c>0.10</c> is <c>0.1</c>, <c>compact, delete</c> is <c>compact,delete</c>.
    /// </summary>
    public string Normalize(string value)
    {
        string trimmed = value.Trim();
        return Kind switch
        {
            ConfigType.Boolean when bool.TryParse(trimmed, out bool flag) => flag ? "true" : "false",
            ConfigType.Int or ConfigType.Short or ConfigType.Long when long.TryParse(trimmed, NumberStyles.AllowLeadingSign,
                CultureInfo.InvariantCulture, out long number) => number.ToString(CultureInfo.InvariantCulture),
            ConfigType.Double when double.TryParse(trimmed, NumberStyles.Float, CultureInfo.InvariantCulture, out double fraction) =>
                Written(fraction),
            ConfigType.List => string.Join(',', Items(trimmed)),
            _ => trimmed,
        };
    }

    // As Java does (Double.toString): always with a fraction, and from a thousandth down and ten millions up with an exponent.
    private static string Written(double number) => number != 0 && (Math.Abs(number) < 1e-3 || Math.Abs(number) >= 1e7)
        ? number.ToString("0.0################E0", CultureInfo.InvariantCulture)
        : number.ToString("0.0################", CultureInfo.InvariantCulture);

    public static string[] Items(string value) => value.Trim().Length == 0 ? [] : value.Split(',', StringSplitOptions.TrimEntries);

    public string Invalid(string value, string why) => $"Invalid value {value} for configuration {Name}: {why}";

    private string? CheckRange(double number, string text) =>
        number < Min ? Invalid(text, string.Create(CultureInfo.InvariantCulture, $"Value must be at least {Min}"))
        : number > Max ? Invalid(text, string.Create(CultureInfo.InvariantCulture, $"Value must be no more than {Max}"))
        : null;

    private string? CheckAllowed(string value) => Allowed is null || Allowed.Contains(value)
        ? null
        : Invalid(value, $"String must be one of: {string.Join(", ", Allowed)}");
}
