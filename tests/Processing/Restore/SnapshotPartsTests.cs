using System.Text;
using CsCheck;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class SnapshotPartsTests
{
    private const int MaxBytes = 100;

    private static readonly Gen<AggregateSnapshot> Snapshots = Gen.Select(
        Gen.Byte.Array[0, 1_000], Gen.Byte.Array[0, 150].List[0, 40], Gen.Long[1, 1_000],
        (state, outcomes, version) =>
            new AggregateSnapshot { Version = version, EventOffset = 7, StateSchema = "s", State = state, RecentCommands = outcomes });

    [Fact]
    public void Join_gives_what_Split_took_and_no_part_is_larger_than_it_may_be() => Snapshots.Sample(whole =>
    {
        IReadOnlyList<AggregateSnapshot> parts = SnapshotParts.Split(whole, MaxBytes);
        parts[0].Parts.ShouldBe(parts.Count - 1);
        foreach (AggregateSnapshot part in parts)
        {
            int bytes = part.State.Length + part.RecentCommands.Sum(o => o.Length + 8);
            (bytes <= MaxBytes || (part.State.Length == 0 && part.RecentCommands.Count == 1)).ShouldBeTrue(
                $"{part.State.Length} of state, {part.RecentCommands.Count} outcomes");
        }

        AggregateSnapshot joined = SnapshotParts.Join(parts[0], "a", parts.Index().Skip(1).ToDictionary(p => p.Index, p => p.Item));
        joined.State.ShouldBe(whole.State);
        joined.RecentCommands.Count.ShouldBe(whole.RecentCommands.Count);
        for (int i = 0; i < joined.RecentCommands.Count; i++)
            joined.RecentCommands[i].ShouldBe(whole.RecentCommands[i]);
        (joined.Version, joined.Parts).ShouldBe((whole.Version, 0));
    });

    [Fact]
    public void Join_ignores_what_a_larger_snapshot_had_left_and_refuses_parts_of_another()
    {
        AggregateSnapshot whole = Large(version: 2, bytes: 250);
        IReadOnlyList<AggregateSnapshot> parts = SnapshotParts.Split(whole, MaxBytes);
        AggregateSnapshot left = Large(version: 1, bytes: 100);
        SnapshotParts.Join(parts[0], "a", new Dictionary<int, AggregateSnapshot> { [1] = parts[1], [2] = parts[2], [3] = left }).State
            .ShouldBe(whole.State);
        Should.Throw<InvalidDataException>(() =>
            SnapshotParts.Join(parts[0], "a", new Dictionary<int, AggregateSnapshot> { [1] = parts[1], [2] = left }))
            .Message.ShouldBe("The snapshot of a at version 2 has 2 more parts, and part 2 is of version 1.");
        Should.Throw<InvalidDataException>(() =>
            SnapshotParts.Join(parts[0], "a", new Dictionary<int, AggregateSnapshot> { [1] = parts[1] })).Message.ShouldContain(
                "part 2 is missing");
    }

    [Theory]
    [InlineData("a", 1)]
    [InlineData("é/part", 300)]
    public void Key_of_a_part_is_read_back(string id, int number)
    {
        SnapshotParts.TryReadKey(SnapshotParts.KeyOf(Encoding.UTF8.GetBytes(id), number), out byte[] aggregate, out int read)
            .ShouldBeTrue();
        (Encoding.UTF8.GetString(aggregate), read).ShouldBe((id, number));
        SnapshotParts.TryReadKey(Encoding.UTF8.GetBytes(id), out _, out _).ShouldBeFalse();
        SnapshotParts.TryReadKey(SnapshotReader.BarrierKey, out _, out _).ShouldBeFalse();
    }

    private static AggregateSnapshot Large(long version, int bytes) =>
        new()
        {
            Version = version,
            EventOffset = version,
            StateSchema = "s",
            State = [.. Enumerable.Range(0, bytes).Select(i => (byte)i)],
            RecentCommands = [],
        };
}
