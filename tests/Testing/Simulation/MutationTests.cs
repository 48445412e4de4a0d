namespace KafkaEventSourcing.Testing.Tests.Simulation;

/// <summary>The checker against planted bugs: it must find each, and must find nothing in the correct system.</summary>
public sealed class MutationTests
{
    private const int SeedsOfCorrect = 100;
    private const int SeedsPerMutation = 30;

    public static TheoryData<Mutation> Mutations => [.. Enum.GetValues<Mutation>().Where(m => m != Mutation.None)];

    [Fact]
    public void Correct_system_is_legal_for_every_seed()
    {
        for (int seed = 1; seed <= SeedsOfCorrect; seed++)
        {
            HistoryVerdict verdict = Simulation.Run(Mutation.None, seed);
            verdict.IsLegal.ShouldBeTrue($"seed {seed}: {verdict}");
        }
    }

    [Fact]
    public void Simulation_makes_what_the_checker_is_to_judge()
    {
        int fromStreams = 0;
        HistoryVerdict[] verdicts = [.. Enumerable.Range(1, 20).Select(seed =>
        {
            HistoryVerdict verdict = Simulation.Run(Mutation.None, seed, out int restores);
            fromStreams += restores;
            return verdict;
        })];
        fromStreams.ShouldBeGreaterThan(60);
        verdicts.Sum(v => v.Commands).ShouldBeGreaterThan(2_000);
        verdicts.ShouldAllBe(v =>
            v.Events > 0 && v.SentAgain > 0 && v.Conflicts > 0 && v.Rejections > 0 && v.UnknownOutcomes > 0 && v.Reads > 0);
    }

    [Fact]
    public void Same_seed_gives_the_same_history() =>
        Simulation.Run(Mutation.ReplyBeforeCommit, 3).ToString().ShouldBe(Simulation.Run(Mutation.ReplyBeforeCommit, 3).ToString());

    [Theory]
    [MemberData(nameof(Mutations))]
    public void Mutation_is_caught(Mutation mutation)
    {
        HistoryVerdict[] verdicts = [.. Enumerable.Range(1, SeedsPerMutation).Select(seed => Simulation.Run(mutation, seed))];
        int[] caught = [.. Enumerable.Range(1, SeedsPerMutation).Where(seed => !verdicts[seed - 1].IsLegal)];
        caught.ShouldNotBeEmpty($"{mutation} was not caught with the seeds 1 to {SeedsPerMutation}");
        IEnumerable<string> rules = verdicts.Select(v => v.Violation?.Rule).OfType<HistoryRule>().CountBy(r => r)
            .Select(r => $"{r.Key} {r.Value}x");
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{mutation}: caught with {caught.Length} of {SeedsPerMutation} seeds, first {caught[0]}, as {string.Join(", ", rules)}"
                + $"{Environment.NewLine}{verdicts[caught[0] - 1]}");
    }
}
