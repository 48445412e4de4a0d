using Banking.Domain;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>What holds of a client of aggregates, whatever is behind it.</summary>
public abstract class AggregateClientContract
{
    private static readonly DateOnly Day = new(2026, 1, 31);
    private static readonly DateTimeOffset Time = new(2026, 1, 31, 9, 0, 0, TimeSpan.Zero);
    private readonly AggregateId _id = AggregateId.New(TimeProvider.System);

    private protected abstract IAggregateClient<AccountState> Accounts { get; }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static OpenAccount Open { get; } = new() { Owner = "Ada", Currency = "EUR", OverdraftLimit = 0, OpenedOn = Day };

    [Fact]
    public async Task Send_accepted_command_is_seen_by_every_read_with_the_type_of_its_state()
    {
        (await Accounts.ReadAsync(_id, Cancellation)).ShouldBeNull();
        (await Accounts.SendAsync(_id, Open, Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(1);
        var credited = (await Accounts.SendAsync(_id, Credit(7), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        AggregateView<AccountState> strong = (await Accounts.ReadAsync(_id, Cancellation))!;
        (strong.AggregateId, strong.Version, strong.State.Owner, strong.State.Balance, strong.Token).ShouldBe(
            (_id, 2L, "Ada", 7L, credited.Token));
        (await Accounts.ReadAsync(_id, ReadConsistency.Eventual, Cancellation)).ShouldBe(strong);
        (await Accounts.ReadAsync(_id, credited.Token, Cancellation)).ShouldBe(strong);
    }

    [Fact]
    public async Task Send_under_the_same_id_takes_effect_once_and_another_command_under_it_is_refused()
    {
        await Accounts.SendAsync(_id, Open, Cancellation);
        var once = new SendOptions { CommandId = CommandId.Parse("once"), Time = Time, CorrelationId = "order-1" };
        CommandResult first = await Accounts.SendAsync(_id, Credit(7), once, Cancellation);
        (first.CommandId, first.AggregateId, first.IsDuplicate).ShouldBe((once.CommandId, _id, false));
        (await Accounts.SendAsync(_id, Credit(7), once, Cancellation)).ShouldBe(first with { IsDuplicate = true });
        Rejection body = (await Accounts.SendAsync(_id, Credit(8), once, Cancellation)).ShouldBeOfType<CommandResult.Rejected>().Rejection;
        (body.Code, body.Details["differs"]).ShouldBe((Rejection.CommandIdReused, "body"));
        Rejection expected = (await Accounts.SendAsync(_id, Credit(7), once with { ExpectedVersion = ExpectedVersion.Exists },
            Cancellation)).ShouldBeOfType<CommandResult.Rejected>().Rejection;
        expected.Details["differs"].ShouldBe("expected version");
        Rejection type = (await Accounts.SendAsync(_id, new UnfreezeAccount(), once, Cancellation)).ShouldBeOfType<CommandResult.Rejected>(
            ).Rejection;
        type.Details["differs"].ShouldBe("type");
        (await Accounts.ReadAsync(_id, Cancellation))!.State.Balance.ShouldBe(7);
    }

    [Fact]
    public async Task Send_under_no_id_takes_effect_each_time()
    {
        await Accounts.SendAsync(_id, Open, Cancellation);
        await Accounts.SendAsync(_id, Credit(7), Cancellation);
        await Accounts.SendAsync(_id, Credit(7), Cancellation);
        (await Accounts.ReadAsync(_id, Cancellation))!.State.Balance.ShouldBe(14);
    }

    [Fact]
    public async Task Send_with_another_version_expected_is_a_conflict_and_one_that_the_domain_refuses_a_rejection()
    {
        (await Accounts.SendAsync(_id, Open, new SendOptions { ExpectedVersion = ExpectedVersion.New },
            Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        var conflict = (await Accounts.SendAsync(_id, Credit(7), new SendOptions { ExpectedVersion = ExpectedVersion.Exactly(2) },
            Cancellation)).ShouldBeOfType<CommandResult.Conflict>();
        (conflict.Version, conflict.Expected).ShouldBe((1L, ExpectedVersion.Exactly(2)));
        (await Accounts.SendAsync(_id, Open, Cancellation)).ShouldBeOfType<CommandResult.Rejected>().Rejection.Code.ShouldBe(
            "already-open");
        (await Accounts.ReadAsync(_id, Cancellation))!.Version.ShouldBe(1);
    }

    [Fact]
    public async Task Send_of_what_the_aggregate_does_not_decide_names_what_it_does()
    {
        var transfer = new RequestTransfer { Payer = "a", Receiver = "b", Amount = 1, Currency = "EUR", BookedOn = Day };
        InvalidInputException refused = await Should.ThrowAsync<InvalidInputException>(() =>
            Accounts.SendAsync(_id, transfer, Cancellation));
        refused.Message.ShouldBe("The aggregate 'account' does not decide RequestTransfer; it decides CloseAccount, Credit, Debit, "
            + "FreezeAccount, OpenAccount, SetOverdraftLimit, UnfreezeAccount.");
        await Should.ThrowAsync<InvalidInputException>(() => Accounts.SendAsync(_id, new TimerElapsed("bell", Time), Cancellation));
    }

    [Fact]
    public async Task History_has_each_event_and_the_state_at_a_version_or_a_time_is_the_fold_up_to_it()
    {
        (await Events(1)).ShouldBeEmpty();
        (await Accounts.ReadVersionAsync(_id, 1, Cancellation)).ShouldBeNull();
        (await Accounts.ReadAsOfAsync(_id, Time, Cancellation)).ShouldBeNull();
        var tokens = new List<ConsistencyToken>();
        for (int i = 0; i < 4; i++)
        {
            // the third is older than the one before it
            var options = new SendOptions { Time = Time.AddHours(i == 2 ? -1 : i), CorrelationId = i == 1 ? "order-1" : null };
            CommandResult sent = i == 0 ? await Accounts.SendAsync(_id, Open, options, Cancellation)
                : await Accounts.SendAsync(_id, Credit(i), options, Cancellation);
            tokens.Add(sent.ShouldBeOfType<CommandResult.Accepted>().Token);
        }

        List<RecordedEvent> all = await Events(1);
        all.Select(e => (e.Version, e.AggregateId, new ConsistencyToken(e.Partition, e.Offset)))
            .ShouldBe(Enumerable.Range(0, 4).Select(i => (i + 1L, _id, tokens[i])));
        all[0].Payload.ShouldBeOfType<AccountOpened>().Owner.ShouldBe("Ada");
        all.Skip(1).Select(e => ((AccountCredited)e.Payload).Amount).ShouldBe([1, 2, 3]);
        (all[1].CorrelationId, all[2].CorrelationId, all[1].Time).ShouldBe(("order-1", all[2].CommandId.Value, Time.AddHours(1)));
        (await Events(4)).Single().ShouldBe(all[3], new ByVersion());
        (await Events(5)).ShouldBeEmpty();

        for (int version = 1; version <= 4; version++)
        {
            AggregateView<AccountState> view = (await Accounts.ReadVersionAsync(_id, version, Cancellation))!;
            (view.Version, view.Token, view.State.Balance).ShouldBe((version, tokens[version - 1], Enumerable.Range(0, version).Sum()));
        }

        (await Accounts.ReadVersionAsync(_id, 4, Cancellation)).ShouldBe(await Accounts.ReadAsync(_id, Cancellation));
        (await Accounts.ReadVersionAsync(_id, 5, Cancellation)).ShouldBeNull();
        // The newest event that is not later: what is before it counts, whatever its time.
        foreach ((double hours, long version) in ((double, long)[])[(-1, 3), (0.5, 3), (2.999, 3), (3, 4), (1_000, 4)])
            (await Accounts.ReadAsOfAsync(_id, Time.AddHours(hours), Cancellation))!.Version.ShouldBe(version);
        (await Accounts.ReadAsOfAsync(_id, Time.AddHours(-1.001), Cancellation)).ShouldBeNull();
        (await Should.ThrowAsync<InvalidInputException>(() => Accounts.ReadVersionAsync(_id, 0, Cancellation).AsTask())).Field.ShouldBe(
            "version");
        (await Should.ThrowAsync<InvalidInputException>(() => Events(0))).Field.ShouldBe("from");
    }

    [Fact]
    public async Task Default_values_are_refused()
    {
        await Should.ThrowAsync<InvalidOperationException>(() => Accounts.SendAsync(default, Open, Cancellation));
        await Should.ThrowAsync<InvalidInputException>(() =>
            Accounts.SendAsync(_id, Open, new SendOptions { ExpectedVersion = default }, Cancellation));
        (await Should.ThrowAsync<InvalidInputException>(() =>
            Accounts.ReadAsync(_id, default(ConsistencyToken), Cancellation).AsTask())).Field.ShouldBe("token");
    }

    private async Task<List<RecordedEvent>> Events(long from)
    {
        var events = new List<RecordedEvent>();
        await foreach (RecordedEvent recorded in Accounts.HistoryAsync(_id, from, Cancellation))
            events.Add(recorded);
        return events;
    }

    private sealed class ByVersion : IEqualityComparer<RecordedEvent>
    {
        public bool Equals(RecordedEvent? x, RecordedEvent? y) => (x?.Version, x?.Offset) == (y?.Version, y?.Offset);

        public int GetHashCode(RecordedEvent recorded) => recorded.Version.GetHashCode();
    }

    private static Credit Credit(long amount) => new()
    {
        Amount = amount,
        Currency = "EUR",
        BookedOn = Day,
        Operation = Operation.CashDeposit,
        Category = Category.None,
    };
}
