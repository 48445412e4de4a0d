using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Subscriptions.Tests;

public sealed class ParkedResolverTests
{
    // Kafka was away when an aggregate had been unparked, and a later event of it was parked meanwhile: that letter was deleted by what was
    // written late, and the next start passed the event over.
    [Fact]
    public void StillTrue_leaves_out_that_an_aggregate_is_parked_no_more_once_it_is_again()
    {
        var partition = new SubscriptionPartition(0, new LedgerMark(default, 0), new LedgerState());
        (AggregateId a, AggregateId b) = (AggregateId.Parse("a"), AggregateId.Parse("b"));
        var answered = LedgerFormat.Answered("r", new SubscriptionAnswer(true, 1, null));
        Confluent.Kafka.Message<byte[], byte[]?>[] records = [LedgerFormat.Unparked(a), LedgerFormat.Unparked(b), answered];
        ParkedResolver.StillTrue(partition, records).ShouldBe(records);
        partition.TryPark(a, new ParkedAggregate
        {
            AggregateId = "a",
            TopicId = "",
            Partition = 0,
            Offset = 7,
            Version = 3,
            EventId = "a/3",
            EventType = "E",
            Attempts = 1,
            Error = "",
            Since = default,
            LastAttempt = default,
            Revision = 0,
        }, limit: 1).ShouldBeTrue();
        ParkedResolver.StillTrue(partition, records).ShouldBe(records[1..]);
        partition.Dispose();
    }
}
