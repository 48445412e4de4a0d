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
    public async Task Default_values_are_refused()
    {
        await Should.ThrowAsync<InvalidOperationException>(() => Accounts.SendAsync(default, Open, Cancellation));
        await Should.ThrowAsync<InvalidInputException>(() =>
            Accounts.SendAsync(_id, Open, new SendOptions { ExpectedVersion = default }, Cancellation));
        (await Should.ThrowAsync<InvalidInputException>(() =>
            Accounts.ReadAsync(_id, default(ConsistencyToken), Cancellation).AsTask())).Field.ShouldBe("token");
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
