using System.CommandLine;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;
using TopicSpecification = Confluent.Kafka.Admin.TopicSpecification;

namespace KafkaEventSourcing.Cli.Streams;

/// <summary>
/// <c>kes streams reset STREAMS</c>: what they have derived is deleted, and they read from the first event again. Positions are set before
/// anything is deleted: a reset that ends in between, and streams that start then, read what they have and count nothing twice.
/// </summary>
internal static class ResetCommand
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        Argument<string> name = StreamTopics.Argument();
        var yes = new Option<bool>("--yes") { Description = "do it; without it the plan is shown alone" };
        var command = new Command("reset", "have streams that nobody runs begin again: their positions are set to the first events, and "
            + "what is in the topics that they write is deleted");
        command.Arguments.Add(name);
        command.Options.Add(yes);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction(async (result, cancellationToken) =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            using IAdminClient admin = ClusterOptions.Admin(kafka);
            (StreamTopics streams, IReadOnlyList<GroupPosition> begins, List<TopicSpecification> topics) =
                await PlanAsync(admin, kafka, result.GetValue(name)!, cancellationToken).ConfigureAwait(false);
            Show(streams, begins, topics);
            if (!result.GetValue(yes))
            {
                Console.WriteLine("Nothing is done yet: give --yes.");
                return ExitCodes.Done;
            }

            await SetPositions(admin, streams, begins).ConfigureAwait(false);
            await Empty(admin, kafka, topics, cancellationToken).ConfigureAwait(false);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"Done: {begins.Count} positions are set, {topics.Count} topics are empty."));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Task<(StreamTopics, IReadOnlyList<GroupPosition>, List<TopicSpecification>)> PlanAsync(IAdminClient admin,
        KafkaConnection kafka, string name, CancellationToken cancellationToken) => Task.Run(async () =>
    {
        StreamTopics streams = StreamTopics.Find(admin, kafka, name)[0];
        if (streams.Group(admin) is { Members.Count: > 0 } group)
            throw new CommandFailedException($"{group.Members.Count} {(group.Members.Count == 1 ? "process runs" : "processes run")} "
                + $"{name} ({string.Join(", ", group.Members.Select(m => $"{m.ClientId} at {m.ClientHost}"))}): end them first. One that "
                + "was killed is a member until its session timeout. Nothing is changed.");
        using var positions = new GroupPositions(kafka, name, StreamTopics.ClientName);
        IReadOnlyList<GroupPosition> begins =
            [.. positions.Of(streams.Sources(positions), cancellationToken).Where(p => p.Next is not null)];
        if (begins.FirstOrDefault(p => p.First > 0 && !streams.Of(StreamTopicKind.Repartition).Contains(p.Partition.Topic)) is { } cut)
            throw new CommandFailedException(string.Create(CultureInfo.InvariantCulture,
                $"{cut.Partition.Topic}, partition {cut.Partition.Partition.Value}, begins at offset {cut.First}: events before it were "
                    + $"deleted, and streams that begin again cannot fold them. Nothing is changed."));
        var topics = new List<TopicSpecification>();
        foreach ((TopicMetadata topic, _) in streams.Topics)
            topics.Add(await AsItIs(admin, topic).ConfigureAwait(false));
        return (streams, begins, topics);
    }, cancellationToken);

    private static async Task<TopicSpecification> AsItIs(IAdminClient admin, TopicMetadata topic)
    {
        List<DescribeConfigsResult> described = await admin.DescribeConfigsAsync(
            [new ConfigResource { Type = ResourceType.Topic, Name = topic.Topic }],
            new DescribeConfigsOptions { RequestTimeout = RequestTimeout }).ConfigureAwait(false);
        return new TopicSpecification
        {
            Name = topic.Topic,
            NumPartitions = topic.Partitions.Count,
            ReplicationFactor = (short)topic.Partitions.Min(p => p.Replicas.Length),
            Configs = described[0].Entries.Values.Where(c => c.Source == ConfigSource.DynamicTopicConfig && !c.IsDefault)
                .ToDictionary(c => c.Name, c => c.Value),
        };
    }

    private static void Show(StreamTopics streams, IReadOnlyList<GroupPosition> begins, List<TopicSpecification> topics)
    {
        foreach (GroupPosition begin in begins)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"set the position in {begin.Partition.Topic}, partition {begin.Partition.Partition.Value}: {begin.Next} -> "
                    + $"{BeginOf(streams, begin)}"));
        }

        foreach (TopicSpecification topic in topics)
            Console.WriteLine($"empty {topic.Name}: it is deleted and made again as it is, with {topic.NumPartitions} partitions");
        Console.WriteLine($"Not from here: delete the folder streams/{streams.Name} below the data folder of every process that runs them, "
            + "before the first is started again. Its stores are those of the topics as they were.");
        if (streams.Of(StreamTopicKind.Derived).Any())
            Console.WriteLine("Whoever reads the derived topics must begin again too: they have the same records under other offsets.");
    }

    // The internal topics are made again, and begin with 0.
    private static long BeginOf(StreamTopics streams, GroupPosition position) =>
        streams.Of(StreamTopicKind.Repartition).Contains(position.Partition.Topic) ? 0 : position.First;

    private static async Task SetPositions(IAdminClient admin, StreamTopics streams, IReadOnlyList<GroupPosition> begins)
    {
        if (begins.Count == 0)
            return;
        try
        {
            await admin.AlterConsumerGroupOffsetsAsync(
                [new ConsumerGroupTopicPartitionOffsets(streams.Name, [.. begins.Select(b =>
                    new TopicPartitionOffset(b.Partition, BeginOf(streams, b)))])],
                new AlterConsumerGroupOffsetsOptions { RequestTimeout = RequestTimeout }).ConfigureAwait(false);
        }
        catch (KafkaException refused)
        {
            throw new CommandFailedException($"The positions of {streams.Name} are not set, and nothing is deleted: "
                + $"{refused.Error.Reason}. A process that has just started may be a member by now.", refused);
        }
    }

    private static async Task Empty(IAdminClient admin, KafkaConnection kafka, List<TopicSpecification> topics,
        CancellationToken cancellationToken)
    {
        string[] names = [.. topics.Select(t => t.Name)];
        await admin.DeleteTopicsAsync(names, new DeleteTopicsOptions { RequestTimeout = RequestTimeout, OperationTimeout = RequestTimeout })
            .ConfigureAwait(false);
        long started = TimeProvider.System.GetTimestamp();
        using var timer = new PeriodicTimer(Look, TimeProvider.System);
        // Brokers learn one after the other that a topic is gone; made before that, it would be said to be there.
        while (ClusterOptions.Topics(admin, kafka).Exists(t => names.Contains(t.Topic)))
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience)
                throw new CommandFailedException($"The cluster has taken the deletion of {string.Join(", ", names)} and does not show it. "
                    + "Run the reset again; what is missing then, the next start of the streams makes.");
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        }

        await admin.CreateTopicsAsync(topics,
            new CreateTopicsOptions { RequestTimeout = RequestTimeout, OperationTimeout = RequestTimeout }).ConfigureAwait(false);
    }
}
