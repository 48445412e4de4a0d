using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace KafkaEventSourcing.Architecture.Tests;

/// <summary>The rules of CONTRIBUTING.md that a program can check. Each yields what is wrong, one line a fault.</summary>
internal static partial class StyleRules
{
    public const int MaxColumns = 140;
    public const int MaxLines = 400;

    /// <summary>Names of an earlier dialect, and what the field calls them.</summary>
    private static readonly Dictionary<string, string> Standard = new(StringComparer.Ordinal)
    {
        ["TwoDoors"] = "CommandRouter",
        ["OwnerDesk"] = "NodeEndpoints",
        ["OwnerSearch"] = "OwnerResolver",
        ["NodeAnswer"] = "NodeResponse",
        ["PartitionFeed"] = "PartitionPump",
        ["SubscriptionStops"] = "StalledPartitions",
        ["EventWriter"] = "TransactionWriter",
        ["Draft"] = "AggregateDraft",
        ["ReactionOutbox"] = "ProcessEffects",
        ["AnswerAddress"] = "ReplyTarget",
        ["CommandAnswered"] = "CommandCompleted",
        ["RegistryWait"] = "SchemaRegistryRetry",
        ["RefusalText"] = "ReplyLimits",
        ["StandbyKeeper"] = "StandbyAssigner",
        ["ShiftedClock"] = "OffsetTimeProvider",
        ["RunningNode"] = "NodeHandle",
        ["Purse"] = "Wallet",
        ["KesItself"] = "SelfExecutable",
        ["Callers"] = "WorkloadRunner",
        ["HttpDoor"] = "HttpCommandClient",
        ["HeldUpTimes"] = "StallDurations",
        ["AggregateWindow"] = "InFlightAggregates",
    };

    /// <summary>Lines that are wider than a screen; text of raw string literals is as it has to be.</summary>
    public static IEnumerable<string> Columns(string path, string text)
    {
        bool isRaw = false;
        string[] lines = text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            bool holdsRaw = isRaw || lines[i].Contains("\"\"\"", StringComparison.Ordinal);
            isRaw ^= RawQuotes().Count(lines[i]) % 2 == 1;
            if (!holdsRaw && lines[i].Length > MaxColumns)
                yield return $"{path}:{i + 1} has {lines[i].Length} columns, more than {MaxColumns}.";
        }
    }

    /// <summary>Types that hold more than one idea: the lines of their files, those of partial classes together.</summary>
    public static IEnumerable<string> Lengths(IEnumerable<(string Path, string Text)> files) =>
        from file in files
        let name = Path.GetFileName(file.Path)
        group file by $"{Path.GetDirectoryName(file.Path)}/{name[..name.IndexOf('.', StringComparison.Ordinal)]}" into type
        let lines = type.Sum(f => f.Text.Count(c => c == '\n'))
        where lines > MaxLines
        orderby type.Key
        select $"{type.Key.Replace('\\', '/')} has {lines} lines in {type.Count()} files, more than {MaxLines}.";

    /// <summary>Type names that are not the field's.</summary>
    public static IEnumerable<string> Names(string path, string text) =>
        from line in text.Split('\n').Select((content, i) => (Content: content, Number: i + 1))
        from Match declared in Declaration().Matches(line.Content)
        let name = declared.Groups[1].Value
        where Standard.ContainsKey(name)
        select $"{path}:{line.Number} declares {name}; the field's name is {Standard[name]}.";

    /// <summary>Phrases that read as translated, in comments, messages and documents.</summary>
    public static IEnumerable<string> Phrases(string path, string text) =>
        from line in text.Split('\n').Select((content, i) => (Content: content, Number: i + 1))
        from Match found in Translated().Matches(line.Content)
        select $"{path}:{line.Number} says '{found.Value}'; see the words in CONTRIBUTING.md.";

    /// <summary>Asynchronous methods of a pinned public surface whose names do not say so.</summary>
    public static IEnumerable<string> Asynchronous(string path, string surface) =>
        from line in surface.Split('\n')
        let method = AsynchronousMethod().Match(line)
        where method.Success && !method.Groups[1].Value.EndsWith("Async", StringComparison.Ordinal)
        select $"{path}: {method.Groups[1].Value} returns a task, and its name does not end in Async.";

    /// <summary>Versions that are pinned for nobody: no project and no package that a project needs asks for them.</summary>
    public static IEnumerable<string> UnusedPins(string versions, IEnumerable<string> projects, IEnumerable<string> lockFiles)
    {
        var used = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (XElement reference in projects.SelectMany(p => XDocument.Parse(p).Descendants("PackageReference")))
            used.Add((string?)reference.Attribute("Include") ?? "");
        foreach (string lockFile in lockFiles)
        {
            using var parsed = JsonDocument.Parse(lockFile);
            foreach (JsonProperty framework in parsed.RootElement.GetProperty("dependencies").EnumerateObject())
                used.UnionWith(framework.Value.EnumerateObject().Select(p => p.Name));
        }

        return from pin in XDocument.Parse(versions).Descendants("PackageVersion")
               let name = (string)pin.Attribute("Include")!
               where !used.Contains(name)
               select $"Directory.Packages.props pins {name}, which nothing uses.";
    }

    [GeneratedRegex("\"{3,}")]
    private static partial Regex RawQuotes();

    [GeneratedRegex(@"\b(?:class|struct|record|interface|enum|delegate)\s+(?:class\s+|struct\s+)?(\w+)")]
    private static partial Regex Declaration();

    [GeneratedRegex(
        @"\bstands? in\b|\b(?:tells?|told) of\b|\bha(?:s|ve) not (?:the|any|a|what)\b"
            + @"|(?<!\bthere )\b(?:is|are) no (?!longer\b|more\b|such\b|better\b)\w+",
        RegexOptions.IgnoreCase)]
    private static partial Regex Translated();

    [GeneratedRegex(@"^[^(]*?(\w+)(?:<[^(.]*>)?\(.*\) -> System\.Threading\.Tasks\.(?:Value)?Task(?:<.*>)?!?$")]
    private static partial Regex AsynchronousMethod();
}
