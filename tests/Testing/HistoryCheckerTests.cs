using static KafkaEventSourcing.Testing.Tests.HistoryBuilder;

namespace KafkaEventSourcing.Testing.Tests;

public sealed class HistoryCheckerTests
{
    private static readonly Tally.Add One = new(1);
    private static readonly Tally.Add MinusTen = new(-10);

    // Three writes of 1; the first is answered, the second's outcome is not known, the third is sent twice.
    private static HistoryBuilder Legal => new HistoryBuilder()
        .Event(1, "a", 1).Event(2, "b", 1).Event(3, "c", 1)
        .Read(0, 9, 0, 0)
        .Command(10, 20, "a", One, Accepted(1), ExpectedVersion.New)
        .Command(25, 30, "b", One, answer: null)
        .Command(31, 60, "c", One, Accepted(3), ExpectedVersion.Exists)
        .Command(70, 80, "c", One, Accepted(3), ExpectedVersion.Exists)
        .Command(81, 84, "d", MinusTen, Rejected(3))
        .Command(81, 84, "e", One, Conflict(3, ExpectedVersion.New), ExpectedVersion.New)
        .Command(81, 84, "f", new Tally.Add(1, Times: 0), Accepted(3))
        .Read(35, 90, 2, 2)
        .Read(85, 90, 3, 3);

    [Fact]
    public void Legal_history_has_no_violation_and_is_counted()
    {
        HistoryVerdict verdict = Legal.Check();
        verdict.Violation.ShouldBeNull();
        (verdict.Events, verdict.Commands, verdict.SentAgain, verdict.Conflicts, verdict.Rejections, verdict.UnknownOutcomes,
            verdict.Reads).ShouldBe((3, 7, 1, 1, 1, 1, 3));
    }

    [Fact]
    public void Unknown_outcome_without_events_is_legal() =>
        new HistoryBuilder().Command(0, 5, "a", One, null).Read(10, 11, 0, 0).Check().IsLegal.ShouldBeTrue();

    [Fact]
    public void Unknown_outcome_may_take_effect_after_its_time_out() =>
        new HistoryBuilder().Event(1, "a", 1).Command(0, 5, "a", One, null).Read(10, 11, 0, 0).Read(12, 13, 1, 1)
            .Check().IsLegal.ShouldBeTrue();

    [Fact]
    public void Events_of_a_command_that_was_not_recorded_are_taken_as_they_are() =>
        new HistoryBuilder().Event(1, "foreign", 7).Read(0, 1, 1, 7).Check().IsLegal.ShouldBeTrue();

    public static TheoryData<string, object, HistoryRule> Illegal => new()
    {
        { "a version is missing", new HistoryBuilder().Event(1, "a", 1).Event(3, "b", 1), HistoryRule.GaplessVersions },
        { "a version comes twice", new HistoryBuilder().Event(1, "a", 1).Event(1, "b", 1), HistoryRule.GaplessVersions },
        { "an event comes twice", new HistoryBuilder().Event(1, "a", 1).Event(1, "a", 1), HistoryRule.GaplessVersions },
        { "an id has two effects", new HistoryBuilder().Event(1, "a", 1).Event(2, "b", 1).Event(3, "a", 1), HistoryRule.OneEffect },
        { "an id has two effects in a row", new HistoryBuilder().Event(1, "a", 1).Event(2, "a", 1).Command(0, 5, "a", One, null),
            HistoryRule.Decision },
        { "an accepted command has no event", new HistoryBuilder().Command(0, 5, "a", One, Accepted(1)), HistoryRule.AnswerAsLogged },
        { "an accepted command is told the version of another's event",
            new HistoryBuilder().Event(1, "b", 1).Command(0, 5, "a", One, Accepted(1)), HistoryRule.AnswerAsLogged },
        { "an answer has another version", new HistoryBuilder().Event(1, "a", 1).Event(2, "b", 1).Command(0, 5, "a", One, Accepted(2)),
            HistoryRule.AnswerAsLogged },
        { "an answer has another token", new HistoryBuilder().Event(1, "a", 1).Command(0, 5, "a", One, Accepted(1, offset: 11)),
            HistoryRule.AnswerAsLogged },
        { "two answers to an id differ", new HistoryBuilder().Event(1, "b", 1).Command(0, 5, "a", MinusTen, Rejected(0)).Command(6, 9, "a",
            MinusTen, Rejected(1)), HistoryRule.OneOutcome },
        { "a refused command has an event", new HistoryBuilder().Event(1, "a", 1).Command(0, 5, "a", One, Rejected(0)),
            HistoryRule.RefusedWithoutEffect },
        { "a command that was not taken has an event", new HistoryBuilder().Event(1, "a", 1).NotTaken(0, 5, "a", One),
            HistoryRule.RefusedWithoutEffect },
        { "an expected version did not hold", new HistoryBuilder().Event(1, "b", 1).Event(2, "a", 1).Command(0, 5, "a", One, Accepted(2),
            ExpectedVersion.New), HistoryRule.ExpectedVersion },
        { "a conflict was none", new HistoryBuilder().Event(1, "b", 1).Command(0, 5, "a", One, Conflict(1, ExpectedVersion.Exists),
            ExpectedVersion.Exists), HistoryRule.ExpectedVersion },
        { "a conflict tells a version that is past",
            new HistoryBuilder().Event(1, "b", 1).Event(2, "c", 1).Command(0, 5, "c", One, Accepted(2)).Command(6, 9, "a", One,
                Conflict(1, ExpectedVersion.New), ExpectedVersion.New), HistoryRule.RealTimeOrder },
        { "a rejection has no reason", new HistoryBuilder().Event(1, "b", 1).Command(0, 5, "a", One, Rejected(1)), HistoryRule.Decision },
        { "an event is not what was decided", new HistoryBuilder().Event(1, "a", 2).Command(0, 5, "a", One, Accepted(1)),
            HistoryRule.Decision },
        { "a part of a command's events is missing",
            new HistoryBuilder().Event(1, "a", 1).Command(0, 5, "a", new Tally.Add(1, Times: 2), null), HistoryRule.Decision },
        { "a read shows what was never committed", new HistoryBuilder().Read(0, 5, 1, 1), HistoryRule.AnswerAsLogged },
        { "a read shows a command half done", new HistoryBuilder().Event(1, "a", 1).Event(2, "a", 1).Read(0, 5, 1, 1),
            HistoryRule.AnswerAsLogged },
        { "a read shows another state", new HistoryBuilder().Event(1, "a", 1).Read(0, 5, 1, 4), HistoryRule.StateIsFold },
        { "a read misses a write that was answered",
            new HistoryBuilder().Event(1, "a", 1).Command(0, 5, "a", One, Accepted(1)).Read(6, 9, 0, 0), HistoryRule.RealTimeOrder },
        { "a read sees a write before it was sent",
            new HistoryBuilder().Event(1, "a", 1).Read(0, 5, 1, 1).Command(6, 9, "a", One, Accepted(1)), HistoryRule.RealTimeOrder },
        { "reads go backwards", new HistoryBuilder().Event(1, "a", 1).Command(0, 50, "a", One, Accepted(1)).Read(1, 5, 1, 1).Read(6, 9, 0,
            0), HistoryRule.RealTimeOrder },
        { "writes are in another order than in time",
            new HistoryBuilder().Event(1, "b", 1).Event(2, "a", 1).Command(0, 5, "a", One, Accepted(2)).Command(6, 9, "b", One,
                Accepted(1)), HistoryRule.RealTimeOrder },
    };

    [Theory]
    [MemberData(nameof(Illegal), DisableDiscoveryEnumeration = true)]
    public void Illegal_history_is_found_under_its_rule(string what, object history, HistoryRule rule)
    {
        HistoryVerdict verdict = ((HistoryBuilder)history).Check();
        verdict.Violation.ShouldNotBeNull(what);
        verdict.Violation.Rule.ShouldBe(rule, verdict.ToString());
        verdict.Violation.AggregateId.ShouldBe(Id);
    }

    [Fact]
    public void Rejection_that_was_forgotten_may_be_decided_again_where_that_is_allowed()
    {
        HistoryBuilder history = new HistoryBuilder().Event(1, "b", 20).Event(2, "a", -10)
            .Command(0, 5, "a", MinusTen, Rejected(0)).Command(6, 9, "b", new Tally.Add(20), Accepted(1)).Command(10, 15, "a", MinusTen,
                Accepted(2));
        history.Check().Violation!.Rule.ShouldBe(HistoryRule.RefusedWithoutEffect);
        history.Check(new HistoryCheckerOptions { RefusalsAreRemembered = false }).Violation.ShouldBeNull();
    }

    [Fact]
    public void Rejection_after_the_effect_is_never_allowed() => new HistoryBuilder().Event(1, "a", 1)
        .Command(0, 5, "a", One, Accepted(1)).Command(6, 9, "a", One, Rejected(1)).Check(
            new HistoryCheckerOptions { RefusalsAreRemembered = false })
        .Violation!.Rule.ShouldBe(HistoryRule.RefusedWithoutEffect);

    [Fact]
    public void Invariant_over_final_states_is_checked()
    {
        var thirteen = new HistoryInvariant("the sum is 13",
            finals => finals.Sum(f => ((Tally.Total)f.State).Sum) is var sum and not 13 ? $"it is {sum}" : null);
        Legal.Check(null, thirteen).Violation!.Message.ShouldBe("the sum is 13: it is 3");
        new HistoryBuilder().Event(1, "a", 13).Check(null, thirteen).IsLegal.ShouldBeTrue();
    }

    [Fact]
    public void First_violation_in_time_is_told_with_the_calls_and_events_around_it()
    {
        HistoryViolation violation = new HistoryBuilder().Event(1, "a", 1)
            .Command(100, 105, "a", One, Accepted(1))
            .Read(106, 109, 0, 0)
            .Read(200, 205, 5, 5)
            .Check().Violation!;
        violation.Message.ShouldBe("a call that wrote version 1 had returned before one began that saw version 0");
        violation.Timeline.Split(Environment.NewLine).ShouldBe(
        [
            "> 0.000 ms … 5.000 ms  caller  command a (Add, expected any) → accepted, version 1 at 0@10",
            "> 6.000 ms … 9.000 ms  reader  strong read → no events",
            "  100.000 ms … 105.000 ms  reader  strong read → version 5 at 0@50: Total { Sum = 5 }",
            "> log 0@10  version 1 of command a: Added { By = 1 }",
        ]);
    }
}
