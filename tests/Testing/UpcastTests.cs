namespace KafkaEventSourcing.Testing.Tests;

public sealed class UpcastTests
{
    private static readonly AggregateId Id = AggregateId.Parse("t");
    private static readonly DateTimeOffset Time = new(2026, 4, 1, 9, 0, 0, TimeSpan.Zero);

    private static readonly AggregateDefinition<Tally.Total> Tallies = AggregateDefinition.Define("tally", new Tally.Total(0))
        .Decides<Tally.Add>((state, add, context) => add.Times == 0
            ? Decision.Reject("told", "As asked.", ("sum", state.Sum), ("version", context.Version))
            : Decision.Accept(add.By == 13 ? new AddedTwice(1) : new Tally.Added(add.By)))
        .Evolves<Tally.Added>((state, added) => new Tally.Total(state.Sum + added.By))
        .Upcasts((AddedV1 old) => new Tally.Added(old.Tens * 10))
        .Upcasts<AddedTwice>(old => [new AddedV1(old.Tens), new Tally.Added(old.Tens * 10)])
        .Upcasts<AddedNothing>(_ => [])
        .Upcasts((AddedItsVersion _, UpcastContext context) =>
            new Tally.Added(context.Version + (context.AggregateId == Id && context.Time == Time ? 100 : 0)))
        .Ignores("KafkaEventSourcing.Testing.Tests.WithdrawnEvent")
        .Build();

    [Fact]
    public void Given_old_events_are_upcast_and_each_is_one_version() =>
        Scenario.Of(Tallies)
            .Given(new AddedV1(1), new AddedTwice(2), new AddedNothing(), new WithdrawnEvent(), new Tally.Added(3))
            .When(new Tally.Add(0, Times: 0))
            .ThenRejected("told", ("sum", 53), ("version", 5));

    [Fact]
    public void Upcast_is_checked_by_what_the_event_is_read_as()
    {
        Scenario.Of(Tallies).Upcast(new AddedTwice(2)).Then(new Tally.Added(20), new Tally.Added(20));
        Scenario.Of(Tallies).Upcast(new Tally.Added(2)).Then(new Tally.Added(2));
        Scenario.Of(Tallies).Upcast(new AddedNothing()).ThenNothing();
        Scenario.Of(Tallies).Upcast(new WithdrawnEvent()).ThenNothing();
        Scenario.Of(Tallies).In(Id, Time).Given(new Tally.Added(1)).Upcast(new AddedItsVersion()).Then(new Tally.Added(102));
        Should.Throw<ScenarioException>(() => Scenario.Of(Tallies).Upcast(new AddedV1(2)).Then(new Tally.Added(2))).Message
            .ShouldBe($"Expected {Environment.NewLine}  {new Tally.Added(2)}{Environment.NewLine}but got {Environment.NewLine}  "
                + $"{new Tally.Added(20)}");
    }

    [Fact]
    public void Event_that_the_aggregate_does_not_have_is_refused()
    {
        Should.Throw<UnknownMessageTypeException>(() => Scenario.Of(Tallies).Given("text"));
        Should.Throw<UnknownMessageTypeException>(() => Scenario.Of(Tallies).Upcast("text"));
        Should.Throw<UnknownMessageTypeException>(() => new InMemoryAggregateClient<Tally.Total>(Tallies).Given(Id, "text"));
    }

    [Fact]
    public void When_what_is_only_read_is_decided_says_so() =>
        Should.Throw<UnknownMessageTypeException>(() => Scenario.Of(Tallies).When(new Tally.Add(13))).Message
            .ShouldEndWith("and upcasts it to other events: decide that.");

    [Fact]
    public async Task In_memory_old_events_are_upcast_with_the_versions_and_offsets_of_a_log()
    {
        var client = new InMemoryAggregateClient<Tally.Total>(Tallies);
        client.Given(Id, new AddedTwice(2), new AddedNothing(), new AddedItsVersion());
        CommandResult.Accepted accepted = (await client.SendAsync(Id, new Tally.Add(1), TestContext.Current.CancellationToken))
            .ShouldBeOfType<CommandResult.Accepted>();
        (accepted.Version, accepted.Token).ShouldBe((4, new ConsistencyToken(0, 3)));
        (await client.ReadAsync(Id, accepted.Token, TestContext.Current.CancellationToken))!.State.ShouldBe(new Tally.Total(44));
        client.Events.Select(e => (e.Version, e.Offset, e.Part, e.Parts, ((Tally.Added)e.Payload).By)).ShouldBe(
            [(1, 0, 0, 2, 20), (1, 0, 1, 2, 20), (3, 2, 0, 1, 3), (4, 3, 0, 1, 1)]);
        (await client.SendAsync(Id, new Tally.Add(13), TestContext.Current.CancellationToken)).ShouldBeOfType<CommandResult.Faulted>()
            .Message.ShouldContain("only reads");
    }

    // Several events of one version were a repeat to the checker, and one that is read as none a gap.
    [Fact]
    public void Checker_takes_what_is_upcast_as_one_version_and_what_is_passed_over_as_its_own()
    {
        RecordedEvent[] events = [Event(1, 5, 20, 0, 2), Event(1, 5, 20, 1, 2), Event(4, 9, 1)];
        new HistoryChecker(Tallies, new HistoryCheckerOptions()).Check(events, [Read(1, 5, 40), Read(4, 9, 41)]).Violation.ShouldBeNull();
        new HistoryChecker(Tallies, new HistoryCheckerOptions()).Check(events, [Read(4, 9, 40)]).Violation!.Rule
            .ShouldBe(HistoryRule.StateIsFold);
        new HistoryChecker(Tally.Definition, new HistoryCheckerOptions()).Check(events, []).Violation!.Rule
            .ShouldBe(HistoryRule.GaplessVersions); // nothing is passed over there
        RecordedEvent[] without = [Event(1, 5, 20), Event(4, 7, 1)];
        new HistoryChecker(Tallies, new HistoryCheckerOptions()).Check(without, []).Violation!.Rule
            .ShouldBe(HistoryRule.GaplessVersions); // two versions, and the log has room for one
    }

    private static RecordedCall Read(long version, long offset, long sum) => new("reader", Id, null, version,
        new CallAnswer.Seen(version + 1, new AggregateView(Id, version, new Tally.Total(sum), new ConsistencyToken(0, offset))));

    private static RecordedEvent Event(long version, long offset, long by, int part = 0, int parts = 1) => new()
    {
        AggregateId = Id,
        Version = version,
        Payload = new Tally.Added(by),
        Part = part,
        Parts = parts,
        Partition = 0,
        Offset = offset,
        Time = Time,
        CommandId = CommandId.Parse($"c-{version}"),
    };

    private sealed record AddedV1(long Tens);

    private sealed record AddedTwice(long Tens);

    private sealed record AddedNothing;

    private sealed record AddedItsVersion;
}

internal sealed record WithdrawnEvent;
