using System.Globalization;
using System.Text.RegularExpressions;

namespace KafkaEventSourcing.Chaos.Verdict;

/// <summary>What the state stores of nodes were filled with, by what the nodes have logged.</summary>
/// <param name="FromStreams">Partitions filled from snapshots of event streams.</param>
/// <param name="Aggregates">The snapshots that were put into these.</param>
/// <param name="FromBarriers">Partitions filled from a barrier.</param>
/// <param name="Folded">Partitions folded from their first event.</param>
/// <param name="Unused">By the reason, how often snapshots of streams could not be used.</param>
/// <param name="Short">How often the events showed that snapshots of streams lacked some: a mark that said too much.</param>
internal sealed partial record RestoreFigures(int FromStreams, long Aggregates, int FromBarriers, int Folded,
    IReadOnlyDictionary<string, int> Unused, int Short)
{
    public static RestoreFigures None { get; } = new(0, 0, 0, 0, new Dictionary<string, int>(), 0);

    /// <summary>Those of the output of one process.</summary>
    public static RestoreFigures Of(string output)
    {
        MatchCollection filled = Filled().Matches(output);
        return new RestoreFigures(filled.Count,
            filled.Sum(m => long.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture)),
            Loaded().Count(output), FoldedAll().Count(output),
            CannotBeUsed().Matches(output).Select(m => Numbers().Replace(m.Groups[1].Value, "N")).CountBy(why => why)
                .ToDictionary(c => c.Key, c => c.Value),
            Incomplete().Count(output));
    }

    /// <summary>Both together.</summary>
    public static RestoreFigures operator +(RestoreFigures one, RestoreFigures other) => new(one.FromStreams + other.FromStreams,
        one.Aggregates + other.Aggregates, one.FromBarriers + other.FromBarriers, one.Folded + other.Folded,
        one.Unused.Concat(other.Unused).GroupBy(u => u.Key, u => u.Value).ToDictionary(g => g.Key, g => g.Sum()), one.Short + other.Short);

    [GeneratedRegex("Partition [0-9]+ has ([0-9]+) aggregates from .*, which have all events before offset")]
    private static partial Regex Filled();

    [GeneratedRegex("Partition [0-9]+ has [0-9]+ aggregates from the barrier in ")]
    private static partial Regex Loaded();

    [GeneratedRegex("Partition [0-9]+ of [^ ]+ is folded from its first event")]
    private static partial Regex FoldedAll();

    [GeneratedRegex("The snapshots of event streams in .* cannot be used: (.*)\\. The aggregates are restored")]
    private static partial Regex CannotBeUsed();

    [GeneratedRegex("The snapshots of event streams in .* are not complete: ")]
    private static partial Regex Incomplete();

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Numbers();
}
