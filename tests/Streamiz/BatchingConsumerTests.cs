using System.Reflection;
using Confluent.Kafka;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class BatchingConsumerTests
{
    private const string Events = "bank.account.events";
    private static readonly TimeSpan NoWait = TimeSpan.Zero;

    [Fact]
    public void Records_that_are_there_come_as_one_record_a_partition_with_the_offset_of_the_last()
    {
        using BatchingConsumer consumer = Reading(Of(0, 7), Of(1, 3), Of(0, 8), Of(0, 9));

        ConsumeResult<byte[], byte[]> first = consumer.Consume(NoWait)!;
        (first.Topic, first.Partition.Value, first.Offset.Value).ShouldBe((Events, 0, 9));
        first.Message.Timestamp.UnixTimestampMs.ShouldBe(7);
        OffsetsOf(first).ShouldBe([7, 8, 9]);
        ConsumeResult<byte[], byte[]> second = consumer.Consume(NoWait)!;
        (second.Partition.Value, second.Offset.Value).ShouldBe((1, 3));
        OffsetsOf(second).ShouldBe([3]);
        consumer.Consume(NoWait).ShouldBeNull();
    }

    [Fact]
    public void More_records_than_a_batch_takes_come_in_the_next_one()
    {
        using BatchingConsumer consumer = Reading(maxRecords: 2, Of(0, 1), Of(0, 2), Of(0, 3));

        OffsetsOf(consumer.Consume(NoWait)!).ShouldBe([1, 2]);
        OffsetsOf(consumer.Consume(NoWait)!).ShouldBe([3]);
    }

    // Of a batch in which an event fails nothing is derived: after a fault all before it are, as they come one by one.
    [Fact]
    public void Records_after_a_fault_come_one_by_one_and_then_in_batches_again()
    {
        using BatchingConsumer consumer = Reading(100, singly: 3, [Of(0, 1), Of(0, 2), Of(1, 1), Of(0, 3), Of(0, 4), Of(0, 5)]);

        foreach (long offset in (long[])[1, 2, 1])
            OffsetsOf(consumer.Consume(NoWait)!).ShouldBe([offset]);
        OffsetsOf(consumer.Consume(NoWait)!).ShouldBe([3, 4, 5]);
    }

    [Fact]
    public void Record_of_another_topic_comes_as_it_is()
    {
        using BatchingConsumer consumer = Reading(Of(0, 1), Of(0, 5, "other"), Of(0, 6, "other"));

        ConsumeResult<byte[], byte[]> other = consumer.Consume(NoWait)!;
        (other.Topic, other.Offset.Value, other.Message.Headers is RecordBatch).ShouldBe(("other", 5, false));
        OffsetsOf(consumer.Consume(NoWait)!).ShouldBe([1]);
        consumer.Consume(NoWait)!.Offset.Value.ShouldBe(6);
    }

    /// <summary>What was read of a partition before it was taken away came to the task of after, which had begun at what is
    /// committed.</summary>
    [Fact]
    public void Partition_that_is_taken_away_within_a_poll_gives_nothing_of_what_was_read_before()
    {
        BatchingConsumer consumer = null!;
        using BatchingConsumer made = Reading(Of(0, 1), Of(1, 1), Do(() => consumer.Drop([new TopicPartition(Events, 0)])), Of(1, 2));
        consumer = made;

        ConsumeResult<byte[], byte[]> only = consumer.Consume(NoWait)!;
        (only.Partition.Value, only.Offset.Value).ShouldBe((1, 2));
        consumer.Consume(NoWait).ShouldBeNull();
    }

    [Fact]
    public void Partition_that_is_taken_away_after_a_poll_gives_nothing_of_what_was_not_given_yet()
    {
        using BatchingConsumer consumer = Reading(Of(0, 1), Of(1, 1));
        OffsetsOf(consumer.Consume(NoWait)!).ShouldBe([1]);

        consumer.Drop([new TopicPartition(Events, 1)]);

        consumer.Consume(NoWait).ShouldBeNull();
    }

    [Fact]
    public void Fault_behind_records_is_thrown_when_they_were_given()
    {
        using BatchingConsumer consumer = Reading(Of(0, 1), Do(() => throw new ConsumeException(new ConsumeResult<byte[], byte[]>(),
            new Error(ErrorCode.OffsetOutOfRange))), Of(0, 2));

        OffsetsOf(consumer.Consume(NoWait)!).ShouldBe([1]);
        Should.Throw<ConsumeException>(() => consumer.Consume(NoWait)).Error.Code.ShouldBe(ErrorCode.OffsetOutOfRange);
        OffsetsOf(consumer.Consume(NoWait)!).ShouldBe([2]);
    }

    private static BatchingConsumer Reading(params Func<ConsumeResult<byte[], byte[]>?>[] polls) => Reading(100, polls);

    private static BatchingConsumer Reading(int maxRecords, params Func<ConsumeResult<byte[], byte[]>?>[] polls) =>
        Reading(maxRecords, 0, polls);

    private static BatchingConsumer Reading(int maxRecords, int singly, Func<ConsumeResult<byte[], byte[]>?>[] polls) =>
        new BatchingConsumer(new HashSet<string> { Events }, maxRecords, 1_000_000, new ThreadOwnership(), singly)
            .ReadBy(ScriptedConsumer.Of(polls));

    private static Func<ConsumeResult<byte[], byte[]>?> Of(int partition, long offset, string topic = Events) => () => new()
    {
        Topic = topic,
        Partition = partition,
        Offset = offset,
        Message = new Message<byte[], byte[]> { Key = [1], Value = [2], Timestamp = new Timestamp(offset, TimestampType.CreateTime) },
    };

    // What happens within a poll that then has no record, or throws.
    private static Func<ConsumeResult<byte[], byte[]>?> Do(Action happens) => () =>
    {
        happens();
        return null;
    };

    private static IEnumerable<long> OffsetsOf(ConsumeResult<byte[], byte[]> record) =>
        record.Message.Headers.ShouldBeOfType<RecordBatch>().Records.Select(r => r.Offset.Value);

    private sealed class Member : IConsumerGroupMetadata;

    /// <summary>
    /// A consumer that knows how to consume and its member, and nothing else; a poll without a record goes on to the next one.
    /// </summary>
    public class ScriptedConsumer : DispatchProxy
    {
        private Queue<Func<ConsumeResult<byte[], byte[]>?>> _polls = new();

        internal static IConsumer<byte[], byte[]> Of(IEnumerable<Func<ConsumeResult<byte[], byte[]>?>> polls)
        {
            IConsumer<byte[], byte[]> consumer = Create<IConsumer<byte[], byte[]>, ScriptedConsumer>();
            ((ScriptedConsumer)(object)consumer)._polls = new Queue<Func<ConsumeResult<byte[], byte[]>?>>(polls);
            return consumer;
        }

        /// <inheritdoc/>
        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name == nameof(IDisposable.Dispose))
                return null;
            if (targetMethod.Name != nameof(IConsumer<,>.Consume))
                throw new NotSupportedException(targetMethod.Name);
            while (_polls.TryDequeue(out Func<ConsumeResult<byte[], byte[]>?>? poll))
            {
                if (poll() is { } record)
                    return record;
            }

            return null;
        }
    }
}
