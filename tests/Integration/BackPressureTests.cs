using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>
/// A partition that decides nothing for a while, at a gate that a test holds: what comes meanwhile waits in bounded memory, or is refused.
/// </summary>
public sealed class BackPressureTests(BankFixture bank) : IDisposable
{
    private const int Large = 800_000; // bytes of a command
    private const long MayWait = 16 * 1024 * 1024;
    private const int MoreThanMayWait = 40;

    private readonly ManualResetEventSlim _gate = new();
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _gate.Dispose();

    [Fact]
    public async Task Full_owner_refuses_at_once_at_every_node_and_answers_what_it_took()
    {
        await using BankNodes nodes = Nodes();
        using var opened = new Opened(_gate);
        await nodes.Start("one", isStatic: false, Cancellation);
        await nodes.Start("two", isStatic: false, Cancellation);
        IReadOnlyDictionary<int, string> owners = await nodes.AllServed(Cancellation);
        BankNode owner = nodes.Running.Single(n => n.Part.Processor.NodeId == owners[0]);
        BankNode other = nodes.Running.Single(n => n != owner);

        List<Task<CommandResult>> taken = [owner.Node.SendAsync(Open("first", 1), Cancellation)];
        await _held.Task.WaitAsync(Cancellation);
        while (taken.Count < MoreThanMayWait
            && owner.Node.SendAsync(Open($"a{taken.Count}", Large), Cancellation) is { IsFaulted: false } waits)
            taken.Add(waits);
        (taken.Count * (long)Large).ShouldBeInRange(15_000_000, 18_000_000);

        foreach (BankNode node in nodes.Running)
        {
            (await Should.ThrowAsync<OverloadedException>(node.Node.SendAsync(Open("late", 1), Cancellation))).Message.ShouldContain(
                "wait for partition 0");
            using HttpResponseMessage answer = await node.Http.PostAsJsonAsync("/account/late/open-account",
                new { owner = "Ada", currency = "EUR", overdraftLimit = 0, openedOn = "2026-05-01" }, Cancellation);
            answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            answer.Headers.RetryAfter!.Delta!.Value.ShouldBe(TimeSpan.FromSeconds(1));
            (await answer.Content.ReadFromJsonAsync<JsonObject>(Cancellation))!["detail"]!.GetValue<string>().ShouldContain(
                "wait for partition 0");
        }

        _gate.Set();
        foreach (CommandResult result in await Task.WhenAll(taken).WaitAsync(Cancellation))
            result.ShouldBeOfType<CommandResult.Rejected>().Rejection.Code.ShouldBe("gate-was-open");
        (await other.Node.SendAsync(Open("late", 1), Cancellation)).ShouldBeOfType<CommandResult.Rejected>();
    }

    [Fact]
    public async Task Topic_is_paused_while_too_much_waits_and_read_on_after()
    {
        await using BankNodes nodes = Nodes();
        using var opened = new Opened(_gate);
        BankNode node = await nodes.Start("one", isStatic: false, Cancellation);
        await nodes.AllServed(Cancellation);
        Task<CommandResult> first = node.Part.CommandTopic.SendAsync(Open("first", 1), Cancellation);
        await _held.Task.WaitAsync(Cancellation); // it is decided alone: all that follows waits
        Task<CommandResult>[] sent = [first,
            .. Enumerable.Range(0, MoreThanMayWait).Select(i => node.Part.CommandTopic.SendAsync(Open($"a{i}", Large), Cancellation))];
        // The other door is shut once as much has been read as may wait.
        while (!node.Node.SendAsync(Open("late", 1), Cancellation).IsFaulted)
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Cancellation);
        _gate.Set();
        foreach (CommandResult result in await Task.WhenAll(sent).WaitAsync(Cancellation))
            result.ShouldBeOfType<CommandResult.Rejected>();
    }

    private static CommandEnvelope Open(string account, int bytes)
    {
        CommandEnvelope open = Movement.Open(account);
        return open with { Payload = (OpenAccount)open.Payload with { Owner = new string('x', bytes) } };
    }

    private BankNodes Nodes() => new(bank.Servers, partitions: 1, TimeSpan.FromSeconds(20))
    {
        MaxWaitingBytes = MayWait,
        Application = EventSourcedApplication.Named(TestServers.UniqueName("gate"), "Decides when its gate is open.")
            .With(AggregateDefinition.Define("account", new AccountState
            {
                Status = AccountStatus.None, Owner = "", Currency = "", Balance = 0, OverdraftLimit = 0, Credits = 0, Debits = 0,
            }).Decides<OpenAccount>((_, _) =>
            {
                _held.TrySetResult();
                _gate.Wait(Cancellation);
                return Decision.Reject("gate-was-open", "Nothing is opened here.");
            }).Evolves<AccountOpened>((state, _) => state).Build()).Build(),
    };

    // A test that fails must not leave the partition at its gate: the node could not end.
    private sealed class Opened(ManualResetEventSlim gate) : IDisposable
    {
        public void Dispose() => gate.Set();
    }
}
