namespace KafkaEventSourcing.Core.Tests;

public class UpcastTests
{
    private static readonly UpcastContext Context = new(AggregateId.Parse("a-1"), 7, DateTimeOffset.UnixEpoch);

    private static readonly AggregateDefinition<State> Wallet = Define()
        .Upcasts((PaidV1 old) => new PaidV2(old.Euros, "EUR"))
        .Upcasts((PaidV2 old) => new Paid(old.Amount * 100, old.Currency))
        .Upcasts<Moved>(old => [new PaidV1(-old.Euros), new Paid(old.Euros * 100, "EUR")])
        .Upcasts<Corrected>(old => old.By == 0 ? [] : [new Paid(old.By, "EUR")])
        .Ignores("T.Renamed")
        .Build();

    [Fact]
    public void Upcast_of_a_current_event_is_null() => Wallet.Upcast(new Paid(1, "EUR"), Context).ShouldBeNull();

    [Fact]
    public void Upcast_follows_the_chain_to_a_type_that_the_aggregate_evolves_by() =>
        Wallet.Upcast(new PaidV1(5), Context).ShouldBe([new Paid(500, "EUR")]);

    [Fact]
    public void Upcast_from_the_middle_of_a_chain_goes_on_from_there() =>
        Wallet.Upcast(new PaidV2(5, "CHF"), Context).ShouldBe([new Paid(500, "CHF")]);

    [Fact]
    public void Upcast_to_several_gives_them_in_order_each_by_the_rest_of_its_chain() =>
        Wallet.Upcast(new Moved(3), Context).ShouldBe([new Paid(-300, "EUR"), new Paid(300, "EUR")]);

    [Fact]
    public void Upcast_to_none_is_an_empty_list() => Wallet.Upcast(new Corrected(0), Context).ShouldBe([]);

    [Fact]
    public void Upcast_is_told_aggregate_version_and_time() =>
        Define().Upcasts((PaidV1 _, UpcastContext context) => new Paid(context.Version, context.AggregateId.Value)).Build()
            .Upcast(new PaidV1(5), Context).ShouldBe([new Paid(7, "a-1")]);

    [Fact]
    public void Upcast_whose_type_is_not_declared_is_checked_when_it_is_made()
    {
        AggregateDefinition<State> wallet = Define().Upcasts<PaidV1>(old => old.Euros > 0 ? new Paid(old.Euros, "EUR") : "text").Build();
        wallet.Upcast(new PaidV1(5), Context).ShouldBe([new Paid(5, "EUR")]);
        Should.Throw<InvalidOperationException>(() => wallet.Upcast(new PaidV1(0), Context)).Message
            .ShouldBe("The aggregate 'wallet' upcasts PaidV1 to String, which it does not evolve by: call Evolves for it, or upcast it "
                + "further.");
    }

    [Fact]
    public void Upcast_inferred_from_a_lambda_that_returns_an_array_or_a_list_is_one_to_many()
    {
        Define().Upcasts((PaidV1 old) => new[] { new Paid(old.Euros, "EUR"), new Paid(1, "EUR") }).Build()
            .Upcast(new PaidV1(5), Context).ShouldBe([new Paid(5, "EUR"), new Paid(1, "EUR")]);
        Define().Upcasts((PaidV1 old, UpcastContext _) => new List<Paid> { new(old.Euros, "EUR") }).Build()
            .Upcast(new PaidV1(5), Context).ShouldBe([new Paid(5, "EUR")]);
    }

    [Fact]
    public void Upcast_to_null_is_refused_by_name()
    {
        Should.Throw<InvalidOperationException>(() => Define().Upcasts((PaidV1 _) => (Paid)null!).Build().Upcast(new PaidV1(5), Context))
            .Message.ShouldBe("The aggregate 'wallet' upcasts PaidV1 to null: give the new event, several, or an empty list where there is "
                + "none.");
        Should.Throw<InvalidOperationException>(() => Define().Upcasts<PaidV1>(_ => [null!]).Build().Upcast(new PaidV1(5), Context))
            .Message.ShouldBe("The aggregate 'wallet' upcasts PaidV1 to a list with null in it.");
    }

    [Fact]
    public void Upcast_that_goes_round_where_it_could_not_be_seen_before_is_refused_when_it_is_made() =>
        Should.Throw<InvalidOperationException>(() => Define()
            .Upcasts<PaidV1>(old => new PaidV2(old.Euros, "EUR"))
            .Upcasts<PaidV2>(old => [new Paid(1, "EUR"), new PaidV1(old.Amount)])
            .Build().Upcast(new PaidV1(5), Context)).Message
            .ShouldBe("The aggregate 'wallet' upcasts PaidV1 to PaidV2 to PaidV1, round and round: an upcast leads to a newer type.");

    [Fact]
    public void Build_with_a_chain_that_goes_round_is_refused() =>
        Should.Throw<InvalidOperationException>(() => Define()
            .Upcasts((PaidV1 old) => new PaidV2(old.Euros, "EUR"))
            .Upcasts((PaidV2 old) => new PaidV1(old.Amount))
            .Build()).Message.ShouldContain("PaidV1 to PaidV2 to PaidV1, round and round");

    [Fact]
    public void Build_with_an_upcast_to_itself_is_refused() =>
        Should.Throw<InvalidOperationException>(() => Define().Upcasts((PaidV1 old) => old).Build()).Message
            .ShouldContain("PaidV1 to PaidV1, round and round");

    [Fact]
    public void Build_with_a_chain_that_ends_in_no_event_is_refused() =>
        Should.Throw<InvalidOperationException>(() => Define()
            .Upcasts((PaidV1 old) => new PaidV2(old.Euros, "EUR"))
            .Upcasts((PaidV2 old) => new Moved(old.Amount))
            .Build()).Message.ShouldBe("The aggregate 'wallet' upcasts PaidV1 to PaidV2 to Moved, which it does not evolve by: call "
                + "Evolves for it, or upcast it further.");

    [Fact]
    public void Build_with_a_type_that_is_upcast_and_evolved_by_is_refused() =>
        Should.Throw<InvalidOperationException>(() => Define().Upcasts((Paid old) => new Paid(old.Cents, "EUR")).Build()).Message
            .ShouldStartWith("The aggregate 'wallet' upcasts Paid and evolves by it");

    [Fact]
    public void Build_with_a_reaction_to_a_type_that_is_upcast_is_refused() =>
        Should.Throw<InvalidOperationException>(() => Define()
            .Upcasts((PaidV1 old) => new Paid(old.Euros, "EUR")).Reacts<PaidV1>((_, _) => Reaction.None).Build()).Message
            .ShouldStartWith("The aggregate 'wallet' reacts to PaidV1, which it upcasts to Paid");

    [Fact]
    public void Upcasts_twice_the_same_type_is_refused() =>
        Should.Throw<InvalidOperationException>(() => Define()
            .Upcasts((PaidV1 old) => new Paid(old.Euros, "EUR")).Upcasts<PaidV1>(_ => [])).Message
            .ShouldBe("The aggregate 'wallet' already upcasts PaidV1.");

    [Theory]
    [InlineData("")]
    [InlineData("T.")]
    [InlineData("T..Old")]
    [InlineData("T.1Old")]
    [InlineData("T.Old-1")]
    [InlineData("T.Old, Assembly")]
    public void Ignores_what_is_not_the_name_of_a_schema_is_refused(string name) =>
        Should.Throw<InvalidInputException>(() => Define().Ignores(name)).Field.ShouldBe("eventType");

    [Fact]
    public void Ignores_twice_or_with_the_type_in_use_is_refused()
    {
        Should.Throw<InvalidOperationException>(() => Define().Ignores("T.Old").Ignores("T.Old")).Message
            .ShouldBe("The aggregate 'wallet' already ignores T.Old.");
        AggregateBuilder<State> Of<TEvent>()
            where TEvent : class => AggregateDefinition.Define("wallet", new State(0)).Decides<Pay>((_, _) => Decision.Nothing)
            .Evolves<TEvent>((state, _) => state).Ignores("KafkaEventSourcing.Core.Tests.UpcastTestsEvent");
        Should.Throw<InvalidOperationException>(() => Of<UpcastTestsEvent>().Build()).Message
            .ShouldStartWith("The aggregate 'wallet' evolves by UpcastTestsEvent and ignores");
        Should.Throw<InvalidOperationException>(() => Of<Paid>().Upcasts((UpcastTestsEvent _) => new Paid(1, "")).Build()).Message
            .ShouldStartWith("The aggregate 'wallet' upcasts UpcastTestsEvent and ignores it");
    }

    [Fact]
    public void Evolve_of_what_is_only_read_says_what_to_decide_instead()
    {
        Should.Throw<UnknownMessageTypeException>(() => Wallet.Evolve(new State(0), new PaidV1(1))).Message
            .ShouldBe($"The aggregate 'wallet' only reads {typeof(PaidV1).FullName}, and upcasts it to PaidV2: decide that.");
        Should.Throw<UnknownMessageTypeException>(() => Wallet.Evolve(new State(0), new Moved(1))).Message
            .ShouldBe($"The aggregate 'wallet' only reads {typeof(Moved).FullName}, and upcasts it to other events: decide that.");
    }

    private static AggregateBuilder<State> Define() => AggregateDefinition.Define("wallet", new State(0))
        .Decides<Pay>((_, pay) => Decision.Accept(new Paid(pay.Cents, "EUR")))
        .Evolves<Paid>((state, paid) => new State(state.Cents + paid.Cents));

    private sealed record State(long Cents);

    private sealed record Pay(long Cents);

    private sealed record PaidV1(long Euros);

    private sealed record PaidV2(long Amount, string Currency);

    private sealed record Paid(long Cents, string Currency);

    private sealed record Moved(long Euros);

    private sealed record Corrected(long By);
}

internal sealed record UpcastTestsEvent;
