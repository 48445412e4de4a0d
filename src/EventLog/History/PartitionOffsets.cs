using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.EventLog;

#pragma warning disable RS0030 // the one place that asks again

/// <summary>
/// The offsets that partitions begin and end with, or had at a time. A broker that is named the leader of a partition and does not serve it
/// yet, as after a topic is made or a leader has gone, is asked again with fresh metadata; librdkafka does not do it for these requests.
/// </summary>
public static class PartitionOffsets
{
    /// <summary>
    /// The first offset and the end of <paramref name="partition"/>, as <paramref name="consumer"/> may see them; blocks.
    /// </summary>
    /// <param name="consumer">Who asks; its isolation level decides what the end is.</param>
    /// <param name="partition">The partition.</param>
    /// <param name="patience">How long to ask.</param>
    /// <param name="cancellationToken">Ends the asking between two attempts.</param>
    /// <exception cref="KafkaException">There is no answer; the error's reason names the partition, its leader, and what Kafka
    /// said.</exception>
    public static WatermarkOffsets Query<TKey, TValue>(
        IConsumer<TKey, TValue> consumer, TopicPartition partition, TimeSpan patience, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(consumer);
        ArgumentNullException.ThrowIfNull(partition);
        return Ask(consumer.Handle, [partition], "The offsets", patience, attempt => consumer.QueryWatermarkOffsets(partition, attempt),
            cancellationToken);
    }

    /// <summary>
    /// In each partition the offset of the first record that is not older than its time; negative where there is none. Blocks.
    /// </summary>
    /// <param name="consumer">Who asks.</param>
    /// <param name="times">The partitions, at least one, all of one topic.</param>
    /// <param name="patience">How long to ask.</param>
    /// <param name="cancellationToken">Ends the asking between two attempts.</param>
    /// <exception cref="KafkaException">There is no answer; the error's reason names the partitions, their leader, and what Kafka
    /// said.</exception>
    public static IReadOnlyDictionary<TopicPartition, long> At<TKey, TValue>(
        IConsumer<TKey, TValue> consumer, IReadOnlyList<TopicPartitionTimestamp> times, TimeSpan patience,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(consumer);
        ArgumentNullException.ThrowIfNull(times);
        return Ask(
            consumer.Handle,
            [.. times.Select(t => t.TopicPartition)],
            "The offsets at a time",
            patience,
            attempt => consumer.OffsetsForTimes(times, attempt).ToDictionary(o => o.TopicPartition, o => o.Offset.Value),
            cancellationToken);
    }

    /// <summary>
    /// The offset that <paramref name="which"/> means in each of <paramref name="partitions"/>, records that are not committed among them.
    /// </summary>
    /// <param name="admin">Who asks.</param>
    /// <param name="partitions">The partitions, all of one topic.</param>
    /// <param name="which">The first offset, the end, or another.</param>
    /// <param name="patience">How long to ask.</param>
    /// <param name="cancellationToken">Ends the asking between two attempts.</param>
    /// <exception cref="KafkaException">There is no answer; the error's reason names the partitions, their leader, and what Kafka
    /// said.</exception>
    public static async Task<IReadOnlyDictionary<int, long>> ListAsync(IAdminClient admin, IReadOnlyList<TopicPartition> partitions,
        OffsetSpec which, TimeSpan patience, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(admin);
        ArgumentNullException.ThrowIfNull(partitions);
        if (partitions.Count == 0)
            return new Dictionary<int, long>();
        var left = new KafkaPatience(patience, TimeProvider.System);
        while (true)
        {
            try
            {
                ListOffsetsResult listed = await admin.ListOffsetsAsync(
                    partitions.Select(p => new TopicPartitionOffsetSpec { TopicPartition = p, OffsetSpec = which }),
                    new ListOffsetsOptions
                    {
                        IsolationLevel = IsolationLevel.ReadUncommitted, RequestTimeout = left.Attempt,
                    }).ConfigureAwait(false);
                // librdkafka gives a broker's partitions so, and no error, when that broker does not answer in time.
                if (listed.ResultInfos.Exists(r => r.TopicPartitionOffsetError.Offset == Offset.Unset))
                    throw new KafkaException(new Error(ErrorCode.Local_TimedOut));
                return listed.ResultInfos.ToDictionary(r => r.TopicPartitionOffsetError.Partition.Value,
                    r => r.TopicPartitionOffsetError.Offset.Value);
            }
            catch (KafkaException failed)
            {
                TopicPartitionOffsetError[] refused = failed is ListOffsetsException { Result.ResultInfos: { } results }
                    ? [.. results.Select(r => r.TopicPartitionOffsetError).Where(r => r.Error.IsError)]
                    : [];
                // Where partitions were refused, one that will be refused for good decides.
                Error error = refused.Select(r => r.Error).OrderBy(KafkaPatience.IsPassing).FirstOrDefault() ?? failed.Error;
                TopicPartition[] about = refused.Length > 0 ? [.. refused.Select(r => r.TopicPartition)] : [.. partitions];
                (string leader, TimeSpan attempt) = ("", left.Attempt);
                await Task.Run(() => leader = LeaderOf(admin, about[0], attempt), CancellationToken.None).ConfigureAwait(false);
                if (!left.Outlasts(error))
                    throw Unanswered("The offsets", about, leader, error, patience, failed);
            }

            await left.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static T Ask<T>(Handle client, IReadOnlyList<TopicPartition> partitions, string what, TimeSpan patience, Func<TimeSpan, T> ask,
        CancellationToken cancellationToken)
    {
        var left = new KafkaPatience(patience, TimeProvider.System);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                return ask(left.Attempt);
            }
            catch (KafkaException failed)
            {
                using IAdminClient admin = new DependentAdminClientBuilder(client).Build();
                string leader = LeaderOf(admin, partitions[0], left.Attempt);
                if (!left.Outlasts(failed.Error))
                    throw Unanswered(what, partitions, leader, failed.Error, patience, failed);
            }

            left.Wait(cancellationToken);
        }
    }

    // Asking for the topic is what makes the client's metadata fresh; what is known of the partition's leader is for people.
    private static string LeaderOf(IAdminClient admin, TopicPartition partition, TimeSpan attempt)
    {
        try
        {
            Metadata metadata = admin.GetMetadata(partition.Topic, attempt);
            TopicMetadata topic = metadata.Topics[0];
            if (topic.Error.IsError)
                return $"metadata says of the topic: {topic.Error.Reason}";
            if (topic.Partitions.Find(p => p.PartitionId == partition.Partition.Value) is not { } known)
                return string.Create(CultureInfo.InvariantCulture, $"metadata has {topic.Partitions.Count} partitions");
            return metadata.Brokers.Find(b => b.BrokerId == known.Leader) is { } leader
                ? string.Create(CultureInfo.InvariantCulture, $"its leader is broker {leader.BrokerId} at {leader.Host}:{leader.Port}")
                : "it has no leader";
        }
        catch (KafkaException away)
        {
            return $"no broker tells its leader: {away.Error.Reason}";
        }
    }

    private static KafkaException Unanswered(string what, IReadOnlyList<TopicPartition> partitions, string leader, Error error,
        TimeSpan patience, KafkaException failed)
    {
        string all = string.Join(", ", partitions.Select(p => p.Partition.Value.ToString(CultureInfo.InvariantCulture)));
        string time = KafkaPatience.IsPassing(error)
            ? string.Create(CultureInfo.InvariantCulture, $" within {patience.TotalSeconds:0.#} s")
            : "";
        return new KafkaException(
            new Error(error.Code, $"{what} of {partitions[0].Topic}, partition {all}, cannot be read{time} ({leader}): {error.Reason}",
                error.IsFatal), failed);
    }
}
