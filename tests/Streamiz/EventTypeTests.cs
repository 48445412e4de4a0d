using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Streamiz.Kafka.Net.Crosscutting;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.Table;
using static KafkaEventSourcing.Streamiz.Tests.BankStreams;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class EventTypeTests
{
    private const string CreditedTopic = "bank-streams.account.account-credited";

    [Fact]
    public void Events_are_in_the_topic_of_their_type_with_bytes_headers_and_time()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).PerEventType(Account.Definition)
            .Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(500, 500))
            .Given(Account.Definition, "b", Noon.AddYears(-33), Opened());

        definition.Topics.ShouldContain(CreditedTopic);
        ConsumeResult<byte[], byte[]> credited = streams.ReadAll(CreditedTopic).ShouldHaveSingleItem();
        Encoding.UTF8.GetString(credited.Message.Key).ShouldBe("a");
        streams.Decode<AccountCredited>(credited.Message.Value).ShouldBe(Credited(500, 500));
        CloudEventHeaders.Find(credited.Message.Headers, CloudEventHeaders.Sequence).ShouldBe("2"u8.ToArray());
        CloudEventHeaders.Find(credited.Message.Headers, CloudEventHeaders.Type).ShouldBe("Banking.Domain.AccountCredited"u8.ToArray());
        streams.ReadAll("bank-streams.account.account-opened").Select(r => r.Message.Timestamp.UtcDateTime.Year).ShouldBe([2026, 1993]);
    }

    // An aggregation of Streamiz moves the time of what is late, for all that is behind it.
    [Fact]
    public void Time_of_a_late_event_is_changed_behind_an_aggregation_of_Streamiz_and_not_in_the_topic_of_its_type()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition)
            .Topology((_, sources) =>
            {
                sources.Events(Account.Definition).GroupByKey().Count(
                    Materialized<string, long, IKeyValueStore<Bytes, byte[]>>.Create(Stores.InMemoryKeyValueStore("counts"))
                        .With(new StringSerDes(), new Int64SerDes()));
                sources.Records(Account.Definition).MapValues((record, _) => record.Value)
                    .To("behind", sources.Keys, new ByteArraySerDes());
            })
            .PerEventType(Account.Definition, typeof(AccountCredited)).Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened()).Given(Account.Definition, "a", Noon.AddYears(-33), Credited(500, 500));

        streams.ReadAll("behind")[^1].Message.Timestamp.UtcDateTime.Year.ShouldBe(2026);
        streams.ReadAll(CreditedTopic).ShouldHaveSingleItem().Message.Timestamp.UtcDateTime.Year.ShouldBe(1993);
    }

    [Fact]
    public void Event_that_is_upcast_is_in_the_topic_of_what_it_is_read_as_in_the_schema_of_today()
    {
        AggregateDefinition<AccountState> account = AggregateDefinition.Define("account", Account.Definition.InitialState)
            .Decides<CloseAccount>((_, _) => Decision.Accept(new AccountClosed()))
            .Evolves<AccountClosed>((state, _) => state with { Status = AccountStatus.Closed })
            .Evolves<AccountUnfrozen>((state, _) => state)
            .Upcasts((AccountFrozen _) => (IEnumerable<object>)[new AccountUnfrozen(), new AccountClosed()]).Build();
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(account).PerEventType(account).Snapshot(account)
            .Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(account, "a", Noon, new AccountFrozen { Reason = "old" });

        ConsumeResult<byte[], byte[]> closed = streams.ReadAll("bank-streams.account.account-closed").ShouldHaveSingleItem();
        streams.Decode<AccountClosed>(closed.Message.Value).ShouldBe(new AccountClosed());
        CloudEventHeaders.Find(closed.Message.Headers, CloudEventHeaders.Type).ShouldBe("Banking.Domain.AccountClosed"u8.ToArray());
        streams.ReadAll("bank-streams.account.account-unfrozen").Count.ShouldBe(1);
        (streams.SnapshotOf(account, "a")!.Version, streams.SnapshotOf(account, "a")!.State.Status).ShouldBe((1, AccountStatus.Closed));
    }
}
