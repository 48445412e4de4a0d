using System.Collections.Concurrent;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.Processing;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class StandbyTests(BankFixture bank)
{
    private const int Partitions = 2;
    private const int Movements = 200;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Node_with_a_warm_copy_answers_eventual_reads_from_it_and_restores_only_what_was_missed()
    {
        await using var nodes = new BankNodes(bank.Servers, Partitions, TimeSpan.FromSeconds(20));
        var restores = new Restores();
        BankNode one = await nodes.Start("one", isStatic: false, Cancellation, standbys: 1);
        for (int p = 0; p < Partitions; p++)
            await one.Node.SendAsync(Movement.Open(AccountOf(one, p)), Cancellation);
        for (int i = 0; i < Movements; i++)
            await one.Node.SendAsync(Movement.Credit(AccountOf(one, i % Partitions), 1, $"m{i}"), Cancellation);
        BankNode two = await nodes.Start("two", isStatic: false, Cancellation, standbys: 1, restores);
        IReadOnlyDictionary<int, string> owners = await nodes.AllServing(Cancellation);
        int moved = owners.First(o => o.Value == one.Part.Processor.NodeId).Key;
        string account = AccountOf(one, moved);

        AggregateView copy = await Warm(two, account, version: 1 + (Movements / Partitions));
        ((AccountState)copy.State).Balance.ShouldBe(Movements / Partitions);
        two.Part.Processor.StatusOf(moved).ShouldBeNull();
        two.Part.Processor.Standbys.ShouldBe([moved]);
        (await two.Part.Reads.ReadAsync(AggregateId.Parse(account), ReadConsistency.Eventual, Cancellation)).ShouldBe(copy);
        await Should.ThrowAsync<AggregateUnavailableException>(async () =>
            await two.Part.Processor.ReadAsync(AggregateId.Parse(account), Cancellation));

        // The copy follows.
        await two.Node.SendAsync(Movement.Credit(account, 1, "late"), Cancellation);
        await Warm(two, account, copy.Version + 1);

        await nodes.Stop(one);
        (await nodes.AllServed(Cancellation))[moved].ShouldBe(two.Part.Processor.NodeId);
        restores.Events[moved].ShouldBe(0);
        (await two.Part.Reads.ReadAsync(AggregateId.Parse(account), Cancellation))!.Version.ShouldBe(copy.Version + 1);
        (await two.Node.SendAsync(Movement.Credit(account, 1, "late"), Cancellation)).IsDuplicate.ShouldBeTrue();
        (await two.Node.SendAsync(Movement.Credit(account, 1, "last"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version
            .ShouldBe(copy.Version + 2);
    }

    [Fact]
    public async Task Copy_begins_from_snapshots_where_the_first_events_are_gone()
    {
        await using var nodes = new BankNodes(bank.Servers, Partitions, TimeSpan.FromSeconds(20)) { BarrierEvents = 50 };
        BankNode one = await nodes.Start("one", isStatic: false, Cancellation, standbys: 1);
        string[] accounts = [.. Enumerable.Range(0, Partitions).Select(p => AccountOf(one, p))];
        foreach (string account in accounts)
            await one.Node.SendAsync(Movement.Open(account), Cancellation);
        for (int i = 0; i < Movements; i++)
            await one.Node.SendAsync(Movement.Credit(accounts[i % Partitions], 1, $"m{i}"), Cancellation);
        using (IAdminClient admin = new AdminClientBuilder(new AdminClientConfig
        {
            BootstrapServers = bank.Servers.Addresses.Kafka,
        }).Build())
            await admin.DeleteRecordsAsync(
                [.. Enumerable.Range(0, Partitions).Select(p => new TopicPartitionOffset(one.Part.Topics.Events, p, 50))]);

        BankNode two = await nodes.Start("two", isStatic: false, Cancellation, standbys: 1);
        IReadOnlyDictionary<int, string> owners = await nodes.AllServing(Cancellation);
        int kept = owners.First(o => o.Value == one.Part.Processor.NodeId).Key;
        AggregateView copy = await Warm(two, accounts[kept], version: 1 + (Movements / Partitions));
        copy.ShouldBe(await one.Part.Processor.ReadAsync(AggregateId.Parse(accounts[kept]), Cancellation));
        two.Part.Processor.Standbys.ShouldBe([kept]);
    }

    [Fact]
    public async Task Read_by_token_is_answered_by_a_copy_that_has_come_as_far_and_else_by_the_owner()
    {
        await using var nodes = new BankNodes(bank.Servers, Partitions, TimeSpan.FromSeconds(20));
        BankNode one = await nodes.Start("one", isStatic: false, Cancellation, standbys: 1);
        BankNode two = await nodes.Start("two", isStatic: false, Cancellation, standbys: 1);
        IReadOnlyDictionary<int, string> owners = await nodes.AllServing(Cancellation);
        int kept = owners.First(o => o.Value == one.Part.Processor.NodeId).Key;
        var account = AggregateId.Parse(AccountOf(one, kept));
        var opened = (CommandResult.Accepted)await one.Node.SendAsync(Movement.Open(account.Value), Cancellation);
        await Warm(two, account.Value, version: 1);

        two.Part.Processor.CanRead(opened.Token).ShouldBeTrue();
        two.Part.Processor.Read(account, opened.Token)!.Version.ShouldBe(1);
        var beyond = new ConsistencyToken(kept, opened.Token.Offset + 1_000);
        two.Part.Processor.CanRead(beyond).ShouldBeFalse();
        Should.Throw<AggregateUnavailableException>(() => two.Part.Processor.Read(account, beyond));
        Should.Throw<InvalidInputException>(() => two.Part.Processor.Read(account, new ConsistencyToken(1 - kept, 0))).Field
            .ShouldBe("token");

        // At once after a write, at the other node, by HTTP: whether its copy or the owner answers, the write is there.
        for (int i = 0; i < Movements; i++)
        {
            var credited = (CommandResult.Accepted)await one.Node.SendAsync(Movement.Credit(account.Value, 1, $"t{i}"), Cancellation);
            (await two.Part.Reads.ReadAsync(account, credited.Token, Cancellation))!.Version.ShouldBe(credited.Version);
        }

        HttpResponseMessage read = await two.Http.GetAsync($"/account/{account.Value}?token={opened.Token}", Cancellation);
        read.StatusCode.ShouldBe(System.Net.HttpStatusCode.OK);
        read.Headers.GetValues("X-Consistency-Token").Single().ShouldNotBeEmpty();
        (await two.Http.GetAsync($"/account/{account.Value}?token={1 - kept}@0", Cancellation)).StatusCode.ShouldBe(
            System.Net.HttpStatusCode.BadRequest);
        (await two.Http.GetAsync($"/account/{account.Value}?token={opened.Token}&consistency=eventual", Cancellation)).StatusCode.ShouldBe(
            System.Net.HttpStatusCode.BadRequest);
    }

    private static string AccountOf(BankNode node, int partition) =>
        Enumerable.Range(0, 100).Select(i => $"s{i}").First(a => node.Part.Processor.PartitionOf(AggregateId.Parse(a)) == partition);

    // Nothing tells outside when a copy has folded an event; a look now and then does.
    private static async Task<AggregateView> Warm(BankNode node, string account, long version)
    {
        using var timer = new PeriodicTimer(Look, TimeProvider.System);
        while (true)
        {
            try
            {
                if (await node.Part.Processor.ReadAsync(AggregateId.Parse(account), ReadConsistency.Eventual, Cancellation) is { } view
                    && view.Version == version)
                    return view;
            }
            catch (AggregateUnavailableException)
            {
                // Not warm yet.
            }

            await timer.WaitForNextTickAsync(Cancellation);
        }
    }

    /// <summary>How many events each partition's last restore replayed, as the node logs it.</summary>
    private sealed class Restores : ILoggerFactory, ILogger
    {
        public ConcurrentDictionary<int, long> Events { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (eventId.Name == "LogRestored" && state is IReadOnlyList<KeyValuePair<string, object?>> values)
                Events[(int)values.First(v => v.Key == "Partition").Value!] = (long)values.First(v => v.Key == "Events").Value!;
        }

        public void Dispose()
        {
        }
    }
}
