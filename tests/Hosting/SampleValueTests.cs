namespace KafkaEventSourcing.Hosting.Tests;

public sealed class SampleValueTests
{
    private enum Colour
    {
        Red,
    }

    [Fact]
    public void Of_fills_every_property()
    {
        var order = (Order)SampleValue.Of(typeof(Order));
        order.Id.ShouldBe("id");
        order.ShippedOn.ShouldBe(new DateTime(2026, 1, 31, 0, 0, 0, DateTimeKind.Utc));
        order.Colour.ShouldBe(Colour.Red);
        order.Lines.ShouldBe([new Line("article", 1.5M)]);
        order.Tags.ShouldBe(["tags"]);
        order.Totals.ShouldBe(new Dictionary<string, long> { ["key"] = 1 });
    }

    [Fact]
    public void Of_type_that_holds_itself_ends() =>
        ((Node)SampleValue.Of(typeof(Node))).Children.ShouldHaveSingleItem().Children.ShouldNotBeEmpty();

    [Fact]
    public void Of_type_that_cannot_be_made_says_what_to_do() =>
        Should.Throw<InvalidOperationException>(() => SampleValue.Of(typeof(IDisposable))).Message.ShouldBe(
            "There is no example of IDisposable: give one with WithExamples.");

    private sealed record Order
    {
        public required string Id { get; init; }

        public DateTime? ShippedOn { get; init; }

        public required Colour Colour { get; init; }

        public required IReadOnlyList<Line> Lines { get; init; }

        public required string[] Tags { get; init; }

        public required IReadOnlyDictionary<string, long> Totals { get; init; }

        public int LineCount => Lines.Count;
    }

    private sealed record Line(string Article, decimal Price);

    private sealed record Node
    {
        public List<Node> Children { get; init; } = [];
    }
}
