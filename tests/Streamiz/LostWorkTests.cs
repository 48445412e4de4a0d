using System.Collections.Concurrent;
using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Streamiz.Kafka.Net.Stream;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>
/// Something happens in the middle of a batch, with changes in tables that are not written yet: what was given up is neither written nor
/// committed, and what comes again is right.
/// </summary>
public sealed class LostWorkTests(RunningStreamsTests.Fixture fixture) : IClassFixture<RunningStreamsTests.Fixture>
{
    private const int Accounts = 6;
    private const int Credits = 10;
    private const int Batch = 16; // of the 66 events

    private readonly ConcurrentQueue<int> _singly = []; // how many records came one by one, by run

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Streamiz commits what it had done of the record in which a processor failed, and with a batch that is many events: they
    /// were twice in the topics of their types.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fault_in_the_middle_of_a_batch_commits_nothing_of_it(bool exactlyOnce)
    {
        int faults = 0;
        await Check(exactlyOnce, async (_, _) =>
        {
            await Task.CompletedTask;
            if (++faults <= 2)
                throw new InvalidOperationException("It was made to fail.");
        });
        _singly.ShouldBe([0, 20_000, 20_000, 0]); // the last one is the start behind it all
    }

    /// <summary>Streamiz flushes what it has when its producer was fenced, by that producer, and its thread ended without a word.</summary>
    [Fact]
    public async Task Producer_that_is_fenced_in_the_middle_of_a_batch_leaves_nothing_and_the_streams_go_on()
    {
        bool isFenced = false;
        await Check(exactlyOnce: true, (log, instance) =>
        {
            if (!isFenced)
            {
                ProducerConfig config = log.Kafka.Producer();
                config.TransactionalId = $"{instance}-0";
                using IProducer<byte[], byte[]> other = new ProducerBuilder<byte[], byte[]>(config).SetErrorHandler((_, _) => { })
                    .SetLogHandler((_, _) => { }).Build();
                other.InitTransactions(TimeSpan.FromSeconds(30));
            }

            isFenced = true;
            return Task.CompletedTask;
        });
    }

    /// <summary>Batches that were read before a rebalance came to the tasks of after, which read them again.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Rebalance_in_the_middle_of_a_batch_gives_no_event_twice(bool exactlyOnce)
    {
        EventStreamsRunner? second = null;
        try
        {
            await Check(exactlyOnce, async (log, _) =>
            {
                if (second is not null)
                    return;
                second = log.Start(Definition(log.Name, null), exactlyOnce, process: "second", batch: Batch);
                using IAdminClient admin = new AdminClientBuilder(log.Kafka.Admin()).SetLogHandler((_, _) => { }).Build();
                using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
                while ((await admin.DescribeConsumerGroupsAsync([log.Name])).ConsumerGroupDescriptions[0].State
                    != ConsumerGroupState.PreparingRebalance)
                    await timer.WaitForNextTickAsync(Cancellation);
            }, async () => await second!.DisposeAsync()); // while the group rebalances still
        }
        finally
        {
            if (second is not null)
                await second.DisposeAsync();
        }
    }

    // Something happens at an event in the middle; then all events are in all that is derived, once.
    private async Task Check(bool exactlyOnce, Func<StreamLog, string, Task> happens, Func<Task>? then = null)
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        IReadOnlyList<ConsistencyToken> last = await log.AppendAccountsAsync(Accounts, Credits);
        string instance = "";
        EventStreamsDefinition definition = Definition(log.Name, record =>
        {
            if (record.Head.AggregateId.Value == "a3" && record.Head.Version == 5)
                happens(log, instance).GetAwaiter().GetResult();
        });
        await using (EventStreamsRunner runner = log.Start(definition, exactlyOnce, settings =>
        {
            instance = settings.Instance;
            return ClientsOf(settings);
        }, batch: Batch))
        {
            await WaitUntilReadAsync(log, definition);
            if (then is not null)
                await then();
        }

        log.DeleteState(); // what the changelogs have is all that there is
        await using EventStreamsRunner restored = log.Start(definition, exactlyOnce, ClientsOf, batch: Batch);
        for (int account = 0; account < Accounts; account++)
        {
            AggregateId id = AggregateId.Parse($"a{account}");
            (await restored.ReadSnapshotAsync(Account.Definition, id, last[account], Cancellation)).ShouldNotBeNull()
                .State.Credits.ShouldBe(Credits);
            RunningTotal? total = await restored.ReadTotalAsync("credits", id.Value, new DateOnly(2026, 11, 1), Account.Definition,
                last[account], Cancellation);
            (total?.Count, total?.Sum).ShouldBe((Credits, Credits));
        }

        IReadOnlyList<ConsumeResult<byte[], byte[]>> typed = log.Read($"{log.Name}.account.account-credited", Cancellation);
        var versions = typed.Select(r => (Encoding.UTF8.GetString(r.Message.Key),
            Encoding.UTF8.GetString(CloudEventHeaders.Find(r.Message.Headers, CloudEventHeaders.Sequence)!))).ToList();
        versions.Distinct().Count().ShouldBe(Accounts * Credits);
        if (exactlyOnce)
            versions.Count.ShouldBe(Accounts * Credits);
    }

    private StreamClients ClientsOf(StreamClientSettings settings)
    {
        _singly.Enqueue(settings.FirstSingly);
        return new StreamClients(settings);
    }

    private static async Task WaitUntilReadAsync(StreamLog log, EventStreamsDefinition definition)
    {
        using var reader = new EventStreamsReader(definition, log.Application, log.Kafka, log.Servers.Registry);
        await reader.WaitUntilReadAsync(TimeProvider.System, Cancellation);
    }

    private static EventStreamsDefinition Definition(string name, Action<SourceRecord>? each) => EventStreams.Define(name)
        .From(Account.Definition).PerEventType(Account.Definition).Snapshot(Account.Definition)
        .Totals("credits", CalendarWindow.Month, "Europe/Prague", totals => totals.Add<AccountCredited>(Account.Definition,
            (credited, recorded) => new TotalEntry(recorded.AggregateId.Value, credited.Amount, credited.BookedOn)))
        .Topology((_, sources) => sources.Records(Account.Definition).Foreach((_, record, _) => each?.Invoke(record))).Build();
}
