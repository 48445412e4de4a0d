using System.Text;
using Banking.Domain;
using Confluent.Kafka;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>What streams have written is read without them, and compared with the events.</summary>
public sealed class VerifierTests(RunningStreamsTests.Fixture fixture) : IClassFixture<RunningStreamsTests.Fixture>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Topics_of_streams_are_read_and_agree_with_the_events_until_somebody_writes_to_them()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        await log.AppendAccountsAsync(accounts: 3, credits: 2);
        EventStreamsDefinition definition = EventStreams.Define(log.Name).From(Account.Definition).Snapshot(Account.Definition)
            .PerEventType(Account.Definition, typeof(AccountOpened), typeof(AccountCredited))
            .Totals("credits", CalendarWindow.Month, "Europe/Prague", totals => totals.Add<AccountCredited>(Account.Definition, credited =>
                new TotalEntry("all", credited.Amount, credited.BookedOn)))
            .Build();
        using var reader = new EventStreamsReader(definition, log.Application, log.Kafka, log.Servers.Registry);
        (await reader.HasTopicsAsync(Cancellation)).ShouldBeFalse();
        await using (EventStreamsRunner streams = log.Start(definition, exactlyOnce: true))
        {
            await streams.WaitForRestoreAsync(Cancellation);
            await reader.WaitUntilReadAsync(TimeProvider.System, Cancellation);
        }

        (await reader.HasTopicsAsync(Cancellation)).ShouldBeTrue();
        (await reader.ReadSnapshotsAsync(Account.Definition, Cancellation).ToListAsync(Cancellation)).Select(s =>
            (s.AggregateId.Value, s.Version, s.State.Credits)).Order().ShouldBe([("a0", 3, 2), ("a1", 3, 2), ("a2", 3, 2)]);
        RunningTotal total = (await reader.ReadTotalsAsync("credits", Cancellation).ToListAsync(Cancellation)).ShouldHaveSingleItem();
        (total.Key, total.Count, total.Sum).ShouldBe(("all", 6, 6));
        (await reader.ReadEventsAsync<AccountCredited>(Account.Definition, Cancellation).ToListAsync(Cancellation)).Count.ShouldBe(6);
        EventStreamsReport report = await new EventStreamsVerifier(reader).RunAsync(Cancellation);
        report.Differences.ShouldBeEmpty();
        (report.Snapshots, report.Totals, report.TypedEvents, report.Repeats, report.PartitionsBehind).ShouldBe((3, 1, 9, 0, 0));

        // Events that nobody has read yet are not a difference.
        await log.AppendAccountsAsync(accounts: 3, credits: 1);
        report = await new EventStreamsVerifier(reader).RunAsync(Cancellation);
        report.Differences.ShouldBeEmpty();
        report.PartitionsBehind.ShouldBeGreaterThan(0);

        WriteAgain(log, definition.SnapshotTopicOf(Account.Definition), "a0", tombstone: true);
        WriteAgain(log, $"{definition.Name}.account.account-opened", "a1", tombstone: false);
        WriteAgain(log, definition.ChangelogOf("credits"), "all/2026-11-01", tombstone: true);
        report = await new EventStreamsVerifier(reader).RunAsync(Cancellation);
        report.Repeats.ShouldBe(1);
        report.DifferenceCount.ShouldBe(2);
        report.Differences.ShouldContain("The snapshot of account 'a0' is missing; the streams have read version 3.");
        report.Differences.ShouldContain(d => d.StartsWith("The total 'all/2026-11-01' of 'credits' does not have account ",
            StringComparison.Ordinal));
    }

    /// <summary>Streams stood still at the event behind one that was discarded, and the verifier did not count its version.</summary>
    [Fact]
    public async Task Discarded_event_is_passed_with_its_version_and_agrees_with_the_events()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        await log.AppendAccountsAsync(accounts: 1, credits: 1);
        await log.AppendDiscardedAsync("a0");
        ConsistencyToken last = await log.AppendAsync("a0", BankStreams.Credited(1, 2));
        await log.AppendAsync("a1", BankStreams.Opened());
        await log.AppendDiscardedAsync("a1"); // and nothing behind it
        EventStreamsDefinition definition = EventStreams.Define(log.Name).From(Account.Definition).Snapshot(Account.Definition).Build();
        using var reader = new EventStreamsReader(definition, log.Application, log.Kafka, log.Servers.Registry);
        await using (EventStreamsRunner streams = log.Start(definition, exactlyOnce: true))
        {
            (await streams.ReadSnapshotAsync(Account.Definition, AggregateId.Parse("a0"), last, Cancellation))!.Version.ShouldBe(4);
            await reader.WaitUntilReadAsync(TimeProvider.System, Cancellation);
        }

        EventStreamsReport report = await new EventStreamsVerifier(reader).RunAsync(Cancellation);
        report.Differences.ShouldBeEmpty();
        report.Snapshots.ShouldBe(2);
    }

    // As somebody might who is not the streams.
    private static void WriteAgain(StreamLog log, string topic, string key, bool tombstone)
    {
        ConsumeResult<byte[], byte[]> newest = log.Read(topic, Cancellation).Last(r => Encoding.UTF8.GetString(r.Message.Key) == key);
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(log.Kafka.Producer()).Build();
        producer.Produce(newest.TopicPartition, new Message<byte[], byte[]>
        {
            Key = newest.Message.Key, Value = tombstone ? null! : newest.Message.Value, Headers = newest.Message.Headers,
            Timestamp = newest.Message.Timestamp,
        });
        producer.Flush(Cancellation);
    }
}
