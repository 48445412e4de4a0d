using System.CommandLine;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>
/// <c>kes topics tail TOPIC</c>: its last records, or those from somewhere, with headers and decoded values, and with <c>--follow</c> what
/// comes after them.
/// </summary>
internal static class TailCommand
{
    private const long DefaultLast = 10;

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var name = new Argument<string>("topic") { Description = "the topic" };
        var last = new Option<long?>("--last", "-n")
        {
            Description = $"begin so many offsets of each partition before its end (default {DefaultLast})",
        };
        var from = new Option<TailStart?>("--from")
        {
            Description = "begin at: beginning, end, an OFFSET of each partition, or a TIME (RFC 3339, or a day in UTC)",
            HelpName = "beginning|end|OFFSET|TIME",
            CustomParser = given =>
            {
                if (TailStart.TryParse(given.Tokens[0].Value, out TailStart start))
                    return start;
                given.AddError($"--from is '{given.Tokens[0].Value}'; it must be beginning, end, an offset such as 4711, a time such as "
                    + $"2026-03-01T12:00:00Z, or a day such as 2026-03-01.");
                return null;
            },
        };
        var limit = new Option<long?>("--limit") { Description = "end after so many records, all partitions together" };
        var partition = new Option<int?>("--partition", "-p") { Description = "this partition only" };
        var key = new Option<string?>("--key", "-k") { Description = "records with this key only" };
        var follow = new Option<bool>("--follow", "-f") { Description = "go on until Ctrl-C (or --limit)" };
        var json = new Option<bool>("--json") { Description = "one line of JSON a record" };
        var uncommitted = new Option<bool>("--uncommitted") { Description = "records of open and aborted transactions too" };
        var command = new Command("tail", "read records, with headers and decoded Avro");
        command.Arguments.Add(name);
        foreach (Option option in new Option[] { last, from, limit, partition, key, follow, json, uncommitted })
            command.Options.Add(option);
        cluster.AddTo(command, withRegistry: true);
        last.Checked(value => value < 0 ? $"--last is {value}; it must not be negative." : null);
        limit.Checked(value => value < 1 ? $"--limit is {value}; it must be positive." : null);
        partition.Checked(value => value < 0 ? $"--partition is {value}; partitions begin at 0." : null);
        command.Validators.Add(result =>
        {
            if (result.GetResult(last) is { Implicit: false } && result.GetResult(from) is { Implicit: false })
                result.AddError("--last and --from both say where to begin; give one of them.");
        });
        command.SetAction((result, cancellationToken) => Task.Run(async () =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            using IAdminClient admin = ClusterOptions.Admin(kafka);
            TopicMetadata topic = ClusterOptions.Topic(admin, kafka, result.GetValue(name)!);
            TopicPartition[] partitions = [.. topic.Partitions.Select(p => p.PartitionId).Where(p =>
                result.GetValue(partition) is not { } one || p == one).Order().Select(p => new TopicPartition(topic.Topic, p))];
            if (partitions.Length == 0)
                throw new CommandFailedException($"The topic {topic.Topic} has the partitions 0 to {topic.Partitions.Count - 1}, and no "
                    + $"partition {result.GetValue(partition)}.");
            await using TextWriter output = StandardOutput.Open();
            using var decoder = new RecordDecoder(cluster.RegistryOf(result));
            IReadOnlyDictionary<(int, long), DeadLetterResolution> discarded = await Task.Run(() =>
                DiscardedOf(kafka, topic.Topic, partitions, cancellationToken), cancellationToken).ConfigureAwait(false);
            ConsumerConfig config = kafka.BoundedReader("kes-tail");
            config.IsolationLevel = result.GetValue(uncommitted) ? IsolationLevel.ReadUncommitted : IsolationLevel.ReadCommitted;
            if (result.GetValue(follow))
                config.FetchWaitMaxMs = 500;
            using IConsumer<byte[]?, byte[]?> consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).SetLogHandler((_, _) => { })
                .SetErrorHandler((_, _) => { }).Build();
            IReadOnlyList<(TopicPartitionOffset Start, long End)> spans =
                (result.GetValue(from) ?? new TailStart.Last(result.GetValue(last) ?? DefaultLast)).In(partitions, consumer,
                    cancellationToken);
            var reading = new Reading(
                consumer, result.GetValue(follow), result.GetValue(limit) ?? long.MaxValue,
                result.GetValue(key) is { } asked ? Encoding.UTF8.GetBytes(asked) : null,
                async record =>
                {
                    RecordValue value = await decoder.Decode(record).ConfigureAwait(false);
                    await output.WriteLineAsync(result.GetValue(json)
                        ? RecordFormat.Json(record, value, DiscardOf(record))
                        : RecordFormat.Text(record, value, DiscardOf(record))).ConfigureAwait(false);
                });
            await reading.Run(spans, cancellationToken).ConfigureAwait(false);
            return ExitCodes.Done;

            DeadLetterResolution? DiscardOf(ConsumeResult<byte[]?, byte[]?> record) =>
                discarded.GetValueOrDefault((record.Partition.Value, record.Offset.Value));
        }, cancellationToken));
        return command;
    }

    // Of a topic of events: those that every reader passes over.
    private static IReadOnlyDictionary<(int, long), DeadLetterResolution> DiscardedOf(
        KafkaConnection kafka, string topic, TopicPartition[] partitions, CancellationToken cancellationToken)
    {
        if (!topic.EndsWith(TopicFamily.EventsSuffix, StringComparison.Ordinal)
            || topic[..^TopicFamily.EventsSuffix.Length].Split('.') is not [var application, var aggregate])
            return new Dictionary<(int, long), DeadLetterResolution>();
        using IAdminClient admin = ClusterOptions.Admin(kafka);
        var family = new TopicFamily(application, aggregate);
        if (!ClusterOptions.Topics(admin, kafka).Any(t => t.Topic == family.DeadLetters))
            return new Dictionary<(int, long), DeadLetterResolution>();
        var reader = new DiscardedEvents(kafka, family);
        return partitions.SelectMany(p =>
            reader.Of(p.Partition.Value, cancellationToken).Select(d => (Place: (p.Partition.Value, d.Key), d.Value))).ToDictionary(d =>
                d.Place, d => d.Value);
    }

    private sealed class Reading(IConsumer<byte[]?, byte[]?> consumer, bool follow, long limit, byte[]? key,
        Func<ConsumeResult<byte[]?, byte[]?>, Task> show)
    {
        private long _shown;

        public async Task Run(IReadOnlyList<(TopicPartitionOffset Start, long End)> spans, CancellationToken cancellationToken)
        {
            Dictionary<int, long> ends = spans.Where(s => s.Start.Offset.Value < s.End).ToDictionary(s => s.Start.Partition.Value,
                s => s.End);
            if (!follow && ends.Count == 0)
                return;
            consumer.Assign(spans.Select(s => s.Start));
            if (follow)
                await Console.Error.WriteLineAsync($"Following {spans[0].Start.Topic}; Ctrl-C ends it.").ConfigureAwait(false);
            try
            {
                while ((follow || ends.Count > 0) && _shown < limit)
                {
                    ConsumeResult<byte[]?, byte[]?> record = consumer.Consume(cancellationToken);
                    int partition = record.Partition.Value;
                    bool isBehindEnd = !ends.TryGetValue(partition, out long end) || record.Offset.Value >= end;
                    if (!record.IsPartitionEOF && (follow || !isBehindEnd))
                        await Show(record).ConfigureAwait(false);
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
            catch (IOException gone) when (StandardOutput.IsReaderGone(gone))
            {
                // 'head' has enough.
            }
        }

        private async Task Show(ConsumeResult<byte[]?, byte[]?> record)
        {
            if (key is not null && (record.Message.Key is not { } given || !given.AsSpan().SequenceEqual(key)))
                return;
            await show(record).ConfigureAwait(false);
            _shown++;
        }
    }
}
