using System.Text.Json.Nodes;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Integration.Tests;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Subscriptions.Tests;

/// <summary><c>kes subscriptions</c> as an operator types it, beside a node with a parked aggregate.</summary>
public sealed class SubscriptionsCommandTests : IAsyncLifetime
{
    private static readonly string Kes = Path.Combine(AppContext.BaseDirectory, "kes.dll");

    private TestServers _servers = null!;
    private Mailroom _room = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);
        _room = new Mailroom(_servers);
    }

    public async ValueTask DisposeAsync()
    {
        _room?.Dispose();
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    [Fact]
    public async Task Parked_aggregate_is_listed_shown_retried_and_skipped()
    {
        string mailer = $"{_room.Name}.mailer";
        _room.Poison["a"] = 2;
        await using EventSourcedNode node = await _room.Start();
        await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1), Movement.Credit("a", 2), Movement.Open("b"),
            Movement.Credit("b", 1));
        await _room.Handled(1);
        ParkedAggregate parked = await Parked();
        string place = $"{parked.Partition}@{parked.Offset}";

        (int code, string output) = await Run("list", "--json");
        code.ShouldBe(0, output);
        JsonNode line = JsonNode.Parse(output.Split('\n').Single(l => l.Contains(mailer, StringComparison.Ordinal)))!;
        ((string)line["type"]!, (int)line["partition"]!, (int)line["parked"]!).ShouldBe(("account", 0, 1));
        (code, output) = await Run("list", mailer);
        code.ShouldBe(0, output);
        output.ShouldContain("POSITION");

        (code, output) = await Run("show", mailer);
        code.ShouldBe(0, output);
        output.ShouldContain(place);
        output.ShouldContain("TimeoutException: The web service does not take it.");
        (code, output) = await Run("show", mailer, "--aggregate", "a", "--json");
        code.ShouldBe(0, output);
        JsonNode[] shown = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!)];
        ((string)shown[0]["parked"]!["aggregateId"]!, (int)shown[0]["parked"]!["attempts"]!).ShouldBe(("a", 2));
        shown.Skip(1).Select(w => (string)w["waits"]!["version"]!).ShouldBe(["2", "3"]);

        (code, output) = await Run("retry", mailer, "--aggregate", "a");
        code.ShouldBe(1, output);
        output.ShouldContain($"It is parked at {place}, version 2, after 2 more attempts");

        (code, output) = await Run("skip", mailer, "--event", place, "--reason", "The receiver has died.", "--by", "Ada");
        code.ShouldBe(0, output);
        output.ShouldContain("account a: 1 handled, parked no more.");
        (await _room.Handled(1)).ShouldBe([("a", 3)]);
        (code, output) = await Run("show", mailer, "--skipped");
        code.ShouldBe(0, output);
        output.ShouldContain("No parked aggregates.");
        output.ShouldContain($"account {place} of a, version 2: skipped by Ada");
        output.ShouldContain("The receiver has died.");

        _room.Poison["b"] = 3;
        await Mailroom.Send(node, Movement.Credit("b", 2));
        await Parked();
        _room.Poison.Clear();
        (code, output) = await Run("retry", mailer, "--all", "--type", "account");
        code.ShouldBe(0, output);
        output.ShouldContain("account b: 1 handled, parked no more.");
    }

    [Theory]
    [InlineData(2, "--aggregate ID, or --all", "retry", "bank.mailer")]
    [InlineData(2, "'3' is not the place of an event", "skip", "bank.mailer", "--event", "3", "--reason", "x")]
    [InlineData(2, "--reason is empty", "skip", "bank.mailer", "--event", "3@1", "--reason", " ")]
    [InlineData(2, "--timeout is 0", "retry", "bank.mailer", "--all", "--timeout", "0")]
    [InlineData(1, "There is no subscription 'no.such'", "show", "no.such")]
    public async Task Wrong_usage_and_failure_say_what_is_wrong(int exitCode, string told, params string[] arguments)
    {
        (int code, string output) = await Run(arguments);
        output.ShouldContain(told);
        code.ShouldBe(exitCode, output);
    }

    private async Task<(int ExitCode, string Output)> Run(params string[] arguments)
    {
        ProgramRun run = await ProgramRun.FinishAsync("dotnet", [Kes, "subscriptions", .. arguments, "--kafka", _servers.Addresses.Kafka!],
            null, Cancellation);
        return (run.ExitCode, run.Output);
    }

    private async Task<ParkedAggregate> Parked()
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        while (true)
        {
            if (_room.Read().Parked.FirstOrDefault() is { } parked)
                return parked;
            await look.WaitForNextTickAsync(Cancellation);
        }
    }
}
