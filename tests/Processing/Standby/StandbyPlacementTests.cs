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
        GroupMember[] members = Members(Nodes);
        Dictionary<string, IReadOnlyList<int>> kept = Kept(members, copies);
        for (int p = 0; p < Partitions; p++)
        {
            kept.Count(k => k.Value.Contains(p)).ShouldBe(Math.Min(copies, Nodes.Length - 1));
            kept[members.Single(m => m.Owned.Contains(p)).Node].ShouldNotContain(p);
        }
    }

    [Fact]
    public void First_copies_are_at_those_who_get_the_partitions_when_their_owner_goes()
    {
        GroupMember[] members = [new("1-a", "a", [0, 1, 2, 3, 4]), new("2-b", "b", [5, 6]), new("3-c", "c", [7]), new("4-d", "d", [8, 9])];
        int[] OfA(string node) => [.. StandbyPlacement.PartitionsOf(node, members, 10, 1).Where(p => p < 5)];
        OfA("c").ShouldBe([2, 4]); // the last one first; then all have two
        OfA("b").ShouldBe([0, 3]);
        OfA("d").ShouldBe([1]);
    }

    [Fact]
    public void Partitions_of_the_only_owner_go_round_from_the_first_on()
    {
        GroupMember[] members = [new("1-a", "a", [0, 1, 2]), new("2-b", "b", []), new("3-c", "c", [])];
        StandbyPlacement.PartitionsOf("b", members, 3, 1).ShouldBe([0, 2]);
        StandbyPlacement.PartitionsOf("c", members, 3, 1).ShouldBe([1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Copies_are_spread(int copies)
    {
        foreach (IReadOnlyList<int> kept in Kept(Members(Nodes), copies).Values)
            kept.Count.ShouldBeInRange(copies * Partitions / 8, copies * Partitions / 2);
    }

    [Fact]
    public void Partition_without_an_owner_has_its_copies_at_any_member() =>
        Nodes.Sum(n => StandbyPlacement.PartitionsOf(n, [.. Nodes.Select(m => new GroupMember(m, m, []))], Partitions, 1).Count).ShouldBe(
            Partitions);

    [Fact]
    public void Node_alone_keeps_nothing() => StandbyPlacement.PartitionsOf("a", Members(["a"]), Partitions, 1).ShouldBeEmpty();

    private static Dictionary<string, IReadOnlyList<int>> Kept(GroupMember[] members, int copies) =>
        members.ToDictionary(m => m.Node, m => StandbyPlacement.PartitionsOf(m.Node, members, Partitions, copies));

    private static GroupMember[] Members(string[] nodes) =>
        [.. nodes.Select((n, i) => new GroupMember($"{i}-{n}", n, [.. Enumerable.Range(0, Partitions).Where(p => p % nodes.Length == i)]))];
}
