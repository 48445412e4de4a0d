using System.CommandLine;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary><c>kes topics describe TOPIC</c>.</summary>
internal static class DescribeCommand
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var name = new Argument<string>("topic") { Description = "the topic" };
        var all = new Option<bool>("--all") { Description = "configs with Kafka's default values too" };
        var command = new Command("describe", "partitions with their offsets, and configs, of one topic");
        command.Arguments.Add(name);
        command.Options.Add(all);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction(async (result, cancellationToken) =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            using IAdminClient admin = ClusterOptions.Admin(kafka);
            TopicMetadata topic = ClusterOptions.Topic(admin, kafka, result.GetValue(name)!);
            TopicPartition[] partitions = [.. topic.Partitions.Select(p => new TopicPartition(topic.Topic, p.PartitionId))];
            IReadOnlyDictionary<int, long> first =
                await Offsets(admin, partitions, OffsetSpec.Earliest(), cancellationToken).ConfigureAwait(false);
            IReadOnlyDictionary<int, long> end = await Offsets(admin, partitions, OffsetSpec.Latest(),
                cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();

            Console.WriteLine(topic.Topic);
            Console.WriteLine("PARTITION  LEADER  REPLICAS  IN-SYNC         FIRST           END       RECORDS*");
            foreach (PartitionMetadata partition in topic.Partitions.OrderBy(p => p.PartitionId))
            {
                (long from, long to) = (first[partition.PartitionId], end[partition.PartitionId]);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{partition.PartitionId,9}  {partition.Leader,6}  {partition.Replicas.Length,8}  {partition.InSyncReplicas.Length,7} "
                        + $" {from,12}  {to,12}  {to - from,12}"));
            }

            Console.WriteLine("* offsets in use: transaction markers and compacted records count too");
            List<DescribeConfigsResult> described = await admin.DescribeConfigsAsync(
                [new ConfigResource { Type = ResourceType.Topic, Name = topic.Topic }]).ConfigureAwait(false);
            foreach (ConfigEntryResult config in described[0].Entries.Values.Where(c => result.GetValue(all) || !c.IsDefault).OrderBy(c =>
                c.Name, StringComparer.Ordinal))
                Console.WriteLine($"{config.Name} = {config.Value}{(config.IsDefault ? " (default)" : "")}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<IReadOnlyDictionary<int, long>> Offsets(
        IAdminClient admin, TopicPartition[] partitions, OffsetSpec which, CancellationToken cancellationToken)
    {
        try
        {
            return await PartitionOffsets.ListAsync(admin, partitions, which, RequestTimeout, cancellationToken).ConfigureAwait(false);
        }
        catch (KafkaException failed)
        {
            throw new CommandFailedException(failed.Error.Reason, failed);
        }
    }
}
