using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace KafkaEventSourcing.Cli.DeadLetters;

/// <summary>Where a letter is in its dead-letters topic, <c>partition@offset</c>.</summary>
internal readonly record struct DeadLetterPlace(int Partition, long Offset)
{
    public static Argument<DeadLetterPlace> AsArgument(string description) =>
        new("letter") { Description = description, CustomParser = Parse };

    public static Option<DeadLetterPlace?> AsOption(string description) =>
        new("--letter") { Description = description, CustomParser = result => Parse(result) };

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Partition}@{Offset}");

    private static DeadLetterPlace Parse(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        int at = text.IndexOf('@', StringComparison.Ordinal);
        if (at > 0 && int.TryParse(text.AsSpan(0, at), NumberStyles.None, CultureInfo.InvariantCulture, out int partition)
            && long.TryParse(text.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long offset))
        {
            return new DeadLetterPlace(partition, offset);
        }

        result.AddError($"'{text}' is not the place of a dead letter, PARTITION@OFFSET such as 3@17; 'kes dead-letters list' shows them.");
        return default;
    }
}
