using KafkaEventSourcing.Chaos;
using KafkaEventSourcing.Chaos.Faults;

namespace KafkaEventSourcing.Chaos.Tests;

public sealed class FaultPlanTests
{
    private static ChaosOptions Of(long seed) => new() { Seed = seed, Duration = TimeSpan.FromMinutes(2) };

    [Fact]
    public void Seed_decides_the_plan()
    {
        FaultPlan.Of(Of(42)).ShouldBe(FaultPlan.Of(Of(42)));
        FaultPlan.Of(Of(42)).ShouldNotBe(FaultPlan.Of(Of(43)));
    }

    // The plan of a seed must be the same on every machine and in every version, so that a seed in a report means something.
    [Fact]
    public void Seed_gives_the_plan_that_it_always_gave() =>
        FaultPlan.Of(new ChaosOptions { Seed = 42 }).Select(f => f.ToString()).ShouldBe(
        [
            "  3.332 s  cut-kafka      node-3   for 3.528 s",
            "  7.012 s  stall-nodes    node-2   for 0.641 s",
            "  7.713 s  jump-clock     node-3   for 4.256 s, to -3 s",
            " 11.253 s  freeze-node    node-2   for 1.794 s",
            " 13.705 s  cut-kafka      node-2   for 1.593 s",
            " 17.218 s  full-disk      node-1   for 4.333 s",
            " 18.220 s  cut-mongo-db   node-2   for 3.595 s",
            " 19.381 s  freeze-node    node-3   for 1.822 s",
        ]);

    [Fact]
    public void Faults_of_one_node_do_not_overlap_and_begin_within_the_run()
    {
        for (long seed = 0; seed < 200; seed++)
        {
            IReadOnlyList<Fault> plan = FaultPlan.Of(Of(seed));
            plan.ShouldBe(plan.OrderBy(f => f.At));
            plan.ShouldAllBe(f => f.At < TimeSpan.FromMinutes(2));
            plan.ShouldAllBe(f => f.Node == Fault.Servers == (f.Kind == FaultKind.KillServers));
            plan.ShouldAllBe(f => f.Streams < 0);
            foreach (IGrouping<int, Fault> node in plan.GroupBy(f => f.Node))
                node.Zip(node.Skip(1)).ShouldAllBe(p => p.Second.At > p.First.Ends);
        }
    }

    [Fact]
    public void All_kinds_come_and_paused_nodes_outlast_their_session()
    {
        Fault[] faults = [.. Enumerable.Range(0, 50).SelectMany(s => FaultPlan.Of(Of(s)))];
        faults.Select(f => f.Kind).Distinct().Order().ShouldBe(FaultKinds.OfNodes.Order());
        faults.Where(f => f.Kind == FaultKind.PauseNode).ShouldAllBe(f => f.Lasts > TimeSpan.FromSeconds(3));
        faults.Where(f => f.Kind == FaultKind.FreezeNode).ShouldAllBe(f => f.Lasts < TimeSpan.FromSeconds(3));
    }

    [Fact]
    public void Streams_are_killed_wiped_paused_and_delayed_and_nodes_lose_their_folders_more_often()
    {
        Fault[][] plans = [.. Enumerable.Range(0, 50).Select(s =>
            FaultPlan.Of(Of(s) with { Streams = 2, Faults = FaultKinds.WithStreams }).ToArray())];
        Fault[] faults = [.. plans.SelectMany(p => p)];
        faults.Select(f => f.Kind).Distinct().Order().ShouldBe(Enum.GetValues<FaultKind>().Order());
        faults.Where(f => f.Kind.IsOfStreams()).Select(f => f.Streams).Distinct().Order().ShouldBe([0, 1]);
        faults.ShouldAllBe(f => f.Streams >= 0 == f.Kind.IsOfStreams());
        faults.Where(f => f.Kind == FaultKind.PauseStreams).ShouldAllBe(f => f.Lasts > TimeSpan.FromSeconds(3));
        faults.Where(f => f.Kind == FaultKind.DelayStreams).ShouldAllBe(f => f.Amount > TimeSpan.Zero);
        faults.Count(f => f.Kind == FaultKind.WipeNode).ShouldBeGreaterThan(3 * faults.Count(f => f.Kind == FaultKind.KillNode));
        foreach (IGrouping<int, Fault> process in plans.SelectMany(p => p.GroupBy(f => f.Node)))
            process.Zip(process.Skip(1)).ShouldAllBe(p => p.Second.At > p.First.Ends);
        new Fault(TimeSpan.Zero, FaultKind.PauseStreams, Fault.OfStreams(1), TimeSpan.Zero, TimeSpan.Zero).ToString()
            .ShouldContain("pause-streams  streams-2");
    }

    [Fact]
    public void Only_the_kinds_that_were_asked_for_come() =>
        FaultPlan.Of(Of(1) with { Faults = [FaultKind.KillNode, FaultKind.CutKafka] }).Select(f => f.Kind).Distinct().Order().ShouldBe(
            [FaultKind.KillNode, FaultKind.CutKafka]);
}
