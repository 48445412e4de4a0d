using System.Text.Json.Nodes;
using KafkaEventSourcing.Chaos;
using KafkaEventSourcing.Chaos.Domain;
using KafkaEventSourcing.Chaos.Load;

namespace KafkaEventSourcing.Chaos.Tests;

public sealed class WorkloadTests
{
    private static readonly AggregateDefinition[] Wallets = [Wallet.Definition, Payment.Definition];

    [Fact]
    public void Blanks_are_filled_from_the_seed()
    {
        Workload workload = Workload.Parse(WalletApplication.Load, Wallets);
        CommandTemplate pay = workload.Templates.Single(t => t.CommandType == typeof(Pay));
        var first = (Pay)pay.Fill(new SeededRandom(1), name => $"{name}-7");
        first.From.ShouldBe("wallet-7");
        first.Amount.ShouldBeInRange(1, 40);
        pay.Fill(new SeededRandom(1), name => $"{name}-7").ShouldBe(first);
        workload.Lasting.ShouldBe(new Dictionary<string, int> { ["wallet"] = 6 });
    }

    [Fact]
    public void Draw_goes_by_weight()
    {
        Workload workload = Workload.Parse(
            """{"wallet":{"aggregates":1,"commands":[{"weight":3,"name":"put-in","body":{"amount":1}},{"weight":1,"name":"take-out","body":{"amount":1}},{"weight":0,"name":"give-back","body":{"amount":1}}]}}""", Wallets);
        var random = new SeededRandom(5);
        ILookup<Type, CommandTemplate> drawn = Enumerable.Range(0, 4_000).Select(_ => workload.Draw(random)).ToLookup(t => t.CommandType);
        drawn[typeof(PutIn)].Count().ShouldBeInRange(2_850, 3_150);
        drawn[typeof(GiveBack)].ShouldBeEmpty();
    }

    [Theory]
    [InlineData("""{"till":{"commands":[]}}""", "no aggregate 'till'")]
    [InlineData("""{"wallet":{"commands":[{"name":"steal"}]}}""", "no command 'steal'")]
    [InlineData("""{"wallet":{"commands":[]}}""", "no command with a weight")]
    [InlineData("""{"wallet":{"commands":[{"name":"put-in","body":{"amount":"much"}}]}}""", "The body of PutIn")]
    [InlineData("""{"payment":{"commands":[{"name":"pay","body":{"from":"{till}","to":"b","amount":1}}]}}""",
        "'{till}' names no aggregate type")]
    [InlineData("""{"wallet":""", "cannot be read")]
    public void Workload_that_cannot_be_used_is_refused_with_the_reason(string json, string reason) =>
        Should.Throw<InvalidInputException>(() => Workload.Parse(json, Wallets)).Message.ShouldContain(reason);

    [Fact]
    public void Examples_of_the_api_become_a_workload()
    {
        JsonNode api = JsonNode.Parse(
            """{"paths":{"/wallet/{id}/put-in":{"post":{"requestBody":{"content":{"application/json":{"example":{"amount":50}}}}}}}}""")!;
        Workload workload = Workload.OfExamples(api, Wallets);
        ((PutIn)workload.Templates.Single().Fill(new SeededRandom(3), n => n)).Amount.ShouldBeInRange(1, 50);
        Should.Throw<InvalidInputException>(() => Workload.OfExamples(new JsonObject(), Wallets));
    }

    // An id that is sent again after more later commands than are remembered would be taken as new: the checker would blame the system for
    // it.
    [Fact]
    public void Window_holds_new_commands_back_while_an_old_one_is_open()
    {
        var window = new InFlightAggregates(width: 3);
        var id = AggregateId.Parse("a");
        window.TryBegin(id, out long first).ShouldBeTrue();
        window.TryBegin(id, out long second).ShouldBeTrue();
        window.End(id, second);
        window.TryBegin(id, out _).ShouldBeTrue();
        window.TryBegin(id, out _).ShouldBeFalse();
        window.TryBegin(AggregateId.Parse("b"), out _).ShouldBeTrue();
        window.End(id, first);
        window.TryBegin(id, out _).ShouldBeTrue();
    }
}
