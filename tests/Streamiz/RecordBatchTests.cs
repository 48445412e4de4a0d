using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using static KafkaEventSourcing.Streamiz.Tests.BankStreams;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class RecordBatchTests
{
    private const string CreditedTopic = "bank-streams.account.account-credited";

    [Fact]
    public void Events_of_a_batch_are_processed_one_by_one_each_with_its_own_key_headers_and_time()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).PerEventType(Account.Definition)
            .Snapshot(Account.Definition).Build();
        var batch = new RecordBatch();
        using (EventStreamsTestDriver written = EventStreamsTestDriver.Start(definition))
        {
            written.Given(Account.Definition, "a", Noon, Opened()).Given(Account.Definition, "b", Noon.AddYears(-33), Opened("bob"))
                .Given(Account.Definition, "a", Noon.AddDays(1), Credited(500, 500));
            foreach (ConsumeResult<byte[], byte[]> record in written.ReadAll("bank-streams.account.account-opened")
                .Concat(written.ReadAll(CreditedTopic)))
                batch.Add(new ConsumeResult<byte[], byte[]>
                {
                    Topic = "test.account.events", Partition = 0, Offset = batch.Records.Count, Message = record.Message,
                });
        }

        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, batch.Pack().Message);

        StreamSnapshot<AccountState> ann = streams.SnapshotOf(Account.Definition, "a").ShouldNotBeNull();
        (ann.Version, ann.State.Balance, ann.Token).ShouldBe((2, 500, new ConsistencyToken(0, 2)));
        streams.SnapshotOf(Account.Definition, "b")!.State.Owner.ShouldBe("bob");
        streams.ReadAll("bank-streams.account.account-opened").Select(r => r.Message.Timestamp.UtcDateTime.Year).ShouldBe([2026, 1993]);
        ConsumeResult<byte[], byte[]> credited = streams.ReadAll(CreditedTopic).ShouldHaveSingleItem();
        credited.Message.Timestamp.UtcDateTime.ShouldBe(Noon.AddDays(1).UtcDateTime);
        CloudEventHeaders.Find(credited.Message.Headers, CloudEventHeaders.Sequence).ShouldBe("2"u8.ToArray());
    }

    /// <summary>An amount each went over the internal topic, at twice the cost of all else.</summary>
    [Fact]
    public void Amounts_of_a_batch_go_together_and_count_once_when_they_come_again_in_other_batches()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).PerEventType(Account.Definition)
            .Totals("credits", CalendarWindow.Month, "Europe/Prague", totals => totals.Add<AccountCredited>(Account.Definition,
                (credited, recorded) => new TotalEntry("None", credited.Amount, recorded.Time))).Build();
        ConsumeResult<byte[], byte[]>[] events = Events(definition);
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        var november = new DateOnly(2026, 11, 1);

        Give(streams, events[..4]);
        streams.ReadAll(definition.RepartitionOf("credits")).Count.ShouldBe(1);
        (streams.TotalOf("credits", "None", november)!.Count, streams.TotalOf("credits", "None", november)!.Sum).ShouldBe((3, 6));
        Give(streams, events[2..]); // two of which were there before, in the middle of another batch
        (streams.TotalOf("credits", "None", november)!.Count, streams.TotalOf("credits", "None", november)!.Sum).ShouldBe((5, 15));
        Give(streams, events[1..2]);
        (streams.TotalOf("credits", "None", november)!.Count, streams.TotalOf("credits", "None", november)!.Sum).ShouldBe((5, 15));
        streams.SkippedRepeatsOf("credits").ShouldBe(3);
    }

    // One that is opened, and credited with 1 to 5.
    private static ConsumeResult<byte[], byte[]>[] Events(EventStreamsDefinition definition)
    {
        using EventStreamsTestDriver written = EventStreamsTestDriver.Start(definition);
        written.Given(Account.Definition, "a", Noon, [Opened(), .. Enumerable.Range(1, 5).Select(i => Credited(i, i))]);
        return [.. written.ReadAll("bank-streams.account.account-opened").Concat(written.ReadAll(CreditedTopic))
            .Select((record, offset) => new ConsumeResult<byte[], byte[]>
            {
                Topic = "test.account.events", Partition = 0, Offset = offset, Message = record.Message,
            })];
    }

    private static void Give(EventStreamsTestDriver streams, ConsumeResult<byte[], byte[]>[] events)
    {
        var batch = new RecordBatch();
        foreach (ConsumeResult<byte[], byte[]> record in events)
            batch.Add(record);
        streams.Given(Account.Definition, batch.Pack().Message);
    }
}
