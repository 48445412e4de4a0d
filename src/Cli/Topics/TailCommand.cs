using System.CommandLine;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary><c>kes topics tail TOPIC</c>: its last records with headers and decoded values, and with <c>--follow</c> what comes after them.</summary>
internal static class TailCommand
{
    private const int DefaultLast = 10;
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var name = new Argument<string>("topic") { Description = "the topic" };
        var last = new Option<long>("--last", "-n") { Description = $"how many offsets of each partition to begin before its end (default {DefaultLast})", DefaultValueFactory = _ => DefaultLast };
        var beginning = new Option<bool>("--from-beginning") { Description = "begin with the first record" };
        var partition = new Option<int?>("--partition", "-p") { Description = "this partition only" };
        var key = new Option<string?>("--key", "-k") { Description = "records with this key only" };
        var follow = new Option<bool>("--follow", "-f") { Description = "go on until Ctrl-C" };
        var uncommitted = new Option<bool>("--uncommitted") { Description = "records of open and aborted transactions too" };
        var command = new Command("tail", "read records, with headers and decoded Avro");
        command.Arguments.Add(name);
        foreach (Option option in new Option[] { last, beginning, partition, key, follow, uncommitted })
            command.Options.Add(option);
        cluster.AddTo(command, withRegistry: true);
        last.Validators.Add(result =>
        {
            if (result.GetValue(last) < 0)
                result.AddError($"--last is {result.GetValue(last)}; it must not be negative.");
        });
        command.SetAction((result, cancellationToken) => Task.Run(async () =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            using IAdminClient admin = ClusterOptions.Admin(kafka);
            TopicMetadata topic = ClusterOptions.Topic(admin, kafka, result.GetValue(name)!);
            int[] partitions = [.. topic.Partitions.Select(p => p.PartitionId).Where(p => result.GetValue(partition) is not { } one || p == one)];
            if (partitions.Length == 0)
                throw new CommandFailedException($"The topic {topic.Topic} has the partitions 0 to {topic.Partitions.Count - 1}, and no partition {result.GetValue(partition)}.");
            using var text = new RecordText(cluster.RegistryOf(result));
            ConsumerConfig config = kafka.Consumer("kes-tail");
            config.EnablePartitionEof = true;
            config.IsolationLevel = result.GetValue(uncommitted) ? IsolationLevel.ReadUncommitted : IsolationLevel.ReadCommitted;
            using IConsumer<byte[]?, byte[]?> consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
            var ends = new Dictionary<int, long>();
            consumer.Assign(partitions.Select(p =>
            {
                var source = new TopicPartition(topic.Topic, p);
                WatermarkOffsets bounds = consumer.QueryWatermarkOffsets(source, MetadataTimeout);
                long start = result.GetValue(beginning) ? bounds.Low.Value : Math.Max(bounds.Low.Value, bounds.High.Value - result.GetValue(last));
                if (start < bounds.High.Value)
                    ends.Add(p, bounds.High.Value);
                return new TopicPartitionOffset(source, start);
            }).ToList());
            byte[]? wanted = result.GetValue(key) is { } asked ? Encoding.UTF8.GetBytes(asked) : null;
            await Read(consumer, ends, result.GetValue(follow), wanted, text, cancellationToken).ConfigureAwait(false);
            return ExitCodes.Done;
        }, cancellationToken));
        return command;
    }

    private static async Task Read(IConsumer<byte[]?, byte[]?> consumer, Dictionary<int, long> ends, bool follow, byte[]? key, RecordText text, CancellationToken cancellationToken)
    {
        try
        {
            while (follow || ends.Count > 0)
            {
                ConsumeResult<byte[]?, byte[]?> record = consumer.Consume(cancellationToken);
                int partition = record.Partition.Value;
                bool isBehindEnd = ends.TryGetValue(partition, out long end) && record.Offset.Value >= end;
                if (!record.IsPartitionEOF && (follow || !isBehindEnd) && (key is null || record.Message.Key.AsSpan().SequenceEqual(key)))
                    Console.WriteLine(await text.Format(record).ConfigureAwait(false));
                if (record.IsPartitionEOF || isBehindEnd || record.Offset.Value == end - 1)
                    ends.Remove(partition);
            }
        }
        catch (OperationCanceledException) when (follow && cancellationToken.IsCancellationRequested)
        {
            // Ctrl-C is how following ends.
        }
        catch (ConsumeException failed)
        {
            throw new CommandFailedException($"The topic cannot be read: {failed.Error.Reason}", failed);
        }
    }
}
