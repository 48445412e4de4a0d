namespace KafkaEventSourcing.Processing.Tests;

public sealed class ExplanationTests
{
    [Fact]
    public void Bounded_leaves_what_is_within_as_it_is()
    {
        string longest = new('x', Explanation.MaxLength);
        var details = new Dictionary<string, string> { ["by"] = longest };
        Explanation bounded = Explanation.Bounded("no", longest, details);
        bounded.Message.ShouldBeSameAs(longest);
        bounded.Details.ShouldBeSameAs(details);
    }

    [Fact]
    public void Bounded_cuts_texts_and_details_without_halving_a_character()
    {
        string text = string.Concat(new string('x', Explanation.MaxLength - 2), "😀😀");
        Explanation bounded = Explanation.Bounded(
            "no", text, Enumerable.Range(0, 40).ToDictionary(i => $"{new string('k', 3_000)}{i}", _ => text).Concat([new("short", "y")])
                .Reverse().ToDictionary());
        bounded.Message.ShouldBe(string.Concat(new string('x', Explanation.MaxLength - 2), "…"));
        bounded.Details.Count.ShouldBe(2); // long names that begin alike have become one
        bounded.Details["short"].ShouldBe("y");
    }
}
