using System.Text.RegularExpressions;

namespace KafkaEventSourcing.Architecture.Tests;

/// <summary>Documents that say which tests prove a thing.</summary>
public sealed partial class DocumentTests
{
    // A test that is renamed or taken away leaves a promise that nothing checks.
    [Fact]
    public void Tests_that_documents_name_are_there()
    {
        HashSet<string> classes = ClassesBelow("tests");
        string[] missing =
        [
            .. Repository.Files("docs", "*.md").Concat(["README.md", "CONTRIBUTING.md", "SECURITY.md"])
                .SelectMany(d => Quoted().Matches(Repository.Read(d)).Select(m => (Document: d, Class: m.Groups[1].Value)))
                .Where(n => !classes.Contains(n.Class)).Select(n => $"{n.Document} names {n.Class}"),
        ];
        missing.ShouldBeEmpty();
    }

    [Fact]
    public void Every_promise_names_what_fails_without_it()
    {
        string promises = Repository.Read("docs/guarantees.md").Split("## Promises")[1].Split("\n## ")[0];
        string[] rows = [.. promises.Split('\n').Where(l => Row().IsMatch(l))];
        rows.Length.ShouldBeGreaterThan(10);
        HashSet<string> known = [.. ClassesBelow("tests"),
            .. new[] { "src/Testing", "src/Testing.Servers" }.SelectMany(f => Repository.Files(f, "*.cs")).SelectMany(f =>
                Member().Matches(Repository.Read(f)).Select(m => m.Groups[1].Value))];
        foreach (string row in rows)
        {
            string[] named = [.. Code().Matches(row.TrimEnd().TrimEnd('|').Split(" | ")[^1]).Select(m => m.Groups[1].Value).Where(n =>
                !n.StartsWith("kes", StringComparison.Ordinal))];
            named.ShouldNotBeEmpty(row);
            named.Where(n => !known.Contains(n)).ShouldBeEmpty(row);
        }
    }

    private static HashSet<string> ClassesBelow(string folder) =>
        [.. Repository.Files(folder, "*.cs").SelectMany(f => Class().Matches(Repository.Read(f)).Select(m => m.Groups[1].Value))];

    [GeneratedRegex("`(\\w+Tests)(?:\\.\\w+)?`")]
    private static partial Regex Quoted();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"^\| \d+ \|")]
    private static partial Regex Row();

    [GeneratedRegex(@"\bclass (\w+)")]
    private static partial Regex Class();

    [GeneratedRegex(@"^\s+(\w+)(?: = \d+)?,\s*(?://.*)?$", RegexOptions.Multiline)]
    private static partial Regex Member();
}
