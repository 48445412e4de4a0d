namespace KafkaEventSourcing.Processing.Tests;

public sealed class GroupAssignmentTests
{
    // Version 0; topic "ab" with the partitions 1 and 4, topic "c" with 2; no user data.
    private static readonly byte[] Assignment = [0, 0, 0, 0, 0, 2, 0, 2, (byte)'a', (byte)'b', 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 1,
        (byte)'c', 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xFF, 0xFF, 0xFF];

    [Fact]
    public void PartitionsOf_gives_those_of_the_topic()
    {
        GroupAssignment.PartitionsOf("ab", Assignment).ShouldBe([1, 4]);
        GroupAssignment.PartitionsOf("c", Assignment).ShouldBe([2]);
        GroupAssignment.PartitionsOf("a", Assignment).ShouldBeEmpty();
    }

    [Fact]
    public void PartitionsOf_takes_what_is_cut_off_as_far_as_it_goes()
    {
        for (int length = 0; length < Assignment.Length; length++)
            GroupAssignment.PartitionsOf("ab", Assignment.AsSpan(0, length)).Count.ShouldBe(length >= 22 ? 2 : length >= 18 ? 1 : 0);
    }
}
