namespace KafkaEventSourcing.Processing.Tests;

public sealed class StandbyPlacementTests
{
    private const int Partitions = 240;

    private static string[] Nodes { get; } = ["a", "b", "c", "d"];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(9)]
    public void Each_partition_has_its_number_of_copies_and_none_at_its_owner(int copies)
    {
        string?[] owners = Owners(Nodes);
        Dictionary<string, IReadOnlyList<int>> kept = Nodes.ToDictionary(n => n, n => StandbyPlacement.Of(n, Nodes, owners, copies));
        for (int p = 0; p < Partitions; p++)
        {
            kept.Count(k => k.Value.Contains(p)).ShouldBe(Math.Min(copies, Nodes.Length - 1));
            kept[owners[p]!].ShouldNotContain(p);
        }
    }

    [Fact]
    public void Copies_are_spread()
    {
        string?[] owners = Owners(Nodes);
        foreach (string node in Nodes)
            StandbyPlacement.Of(node, Nodes, owners, 1).Count.ShouldBeInRange(Partitions / 8, Partitions / 2);
    }

    [Fact]
    public void Node_that_leaves_moves_only_its_own_copies()
    {
        string?[] owners = Owners(["a"]);
        string[] left = ["a", "b", "c"];
        foreach (string node in (string[])["b", "c"])
            StandbyPlacement.Of(node, left, owners, 1).ShouldBeSubsetOf(StandbyPlacement.Of(node, Nodes, owners, 1).Concat(StandbyPlacement.Of("d", Nodes, owners, 1)));
        StandbyPlacement.Of("b", Nodes, owners, 1).ShouldBeSubsetOf(StandbyPlacement.Of("b", left, owners, 1));
    }

    [Fact]
    public void Partition_without_an_owner_has_its_copies_at_any_member() =>
        Nodes.Sum(n => StandbyPlacement.Of(n, Nodes, new string?[Partitions], 1).Count).ShouldBe(Partitions);

    private static string?[] Owners(string[] nodes) => [.. Enumerable.Range(0, Partitions).Select(p => nodes[p % nodes.Length])];
}
