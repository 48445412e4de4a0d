using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Subscriptions;

namespace KafkaEventSourcing.Cli.Subscriptions;

/// <summary>
/// <c>kes subscriptions show APPLICATION.SUBSCRIPTION</c>: the parked aggregates, and with <c>--aggregate</c> the events that wait.
/// </summary>
internal static class ShowCommand
{
    private const int MaxError = 100;

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        Argument<string> subscription = SubscriptionTopic.Argument();
        Option<string?> type = SubscriptionTopic.Type();
        var aggregate = new Option<string?>("--aggregate", "-a") { Description = "this aggregate only, with all of its events that wait" };
        var skipped = new Option<bool>("--skipped") { Description = "events that were passed over too" };
        var json = new Option<bool>("--json") { Description = "one JSON object a line" };
        var command = new Command("show", "the aggregates that are parked, at which event and why");
        command.Arguments.Add(subscription);
        foreach (Option option in new Option[] { type, aggregate, skipped, json })
            command.Options.Add(option);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            string? wanted = result.GetValue(aggregate);
            var parked = new List<(SubscriptionTopic Topic, ParkedAggregate Parked)>();
            var passed = new List<(SubscriptionTopic Topic, SkippedEvent Skipped)>();
            foreach (SubscriptionTopic topic in SubscriptionTopic.Find(kafka, result.GetValue(subscription), result.GetValue(type)))
            {
                foreach ((_, LedgerState state) in topic.Read(kafka, cancellationToken))
                {
                    parked.AddRange(state.Parked.Where(p => wanted is null || p.AggregateId == wanted).OrderBy(p => p.Offset).Select(p =>
                        (topic, p)));
                    passed.AddRange(state.Skipped.Where(s => wanted is null || s.Event.AggregateId == wanted).Select(s => (topic, s)));
                }
            }

            if (!result.GetValue(skipped))
                passed.Clear();
            if (wanted is not null && parked.Count == 0 && passed.Count == 0)
                throw new CommandFailedException($"'{PlainText.Escape(wanted)}' is not parked. 'kes subscriptions "
                    + $"show {result.GetValue(subscription)}' shows those that are.");
            bool asJson = result.GetValue(json);
            if (asJson)
                PrintJson(parked, passed);
            else
                Print(parked, passed, result.GetValue(skipped));
            if (wanted is not null)
                parked.ForEach(p => PrintWaiting(kafka, p.Topic, p.Parked, asJson, cancellationToken));
            return ExitCodes.Done;
        }, cancellationToken));
        return command;
    }

    private static void Print(List<(SubscriptionTopic Topic, ParkedAggregate Parked)> all,
        List<(SubscriptionTopic Topic, SkippedEvent Skipped)> passed, bool withSkipped)
    {
        if (all.Count == 0)
            Console.WriteLine("No parked aggregates.");
        foreach (IGrouping<SubscriptionTopic, ParkedAggregate> type in all.GroupBy(p => p.Topic, p => p.Parked))
        {
            Console.WriteLine($"{type.Key.Subscription}, {type.Key.Family.Aggregate}");
            int width = type.Select(p => PlainText.Escape(p.AggregateId).Length).Append("AGGREGATE".Length).Max();
            Console.WriteLine($"{"EVENT",12}  {"AGGREGATE".PadRight(width)}  VERSION  ATTEMPTS  SINCE                 ERROR");
            foreach (ParkedAggregate parked in type)
            {
                string error = parked.Error.Length <= MaxError ? parked.Error : $"{parked.Error[..MaxError]}…";
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{PlaceOf(parked),12}  {PlainText.Escape(parked.AggregateId).PadRight(width)}  {parked.Version,7} "
                        + $" {parked.Attempts,8}  {parked.Since.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'} "
                        + $" {PlainText.Escape($"{parked.EventType}: {error}")}"));
            }
        }

        if (withSkipped && passed.Count == 0)
            Console.WriteLine("No skipped events.");
        foreach ((SubscriptionTopic topic, SkippedEvent skipped) in passed)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{topic.Family.Aggregate} {PlaceOf(skipped.Event)} of {PlainText.Escape(skipped.Event.AggregateId)}, "
                    + $"version {skipped.Event.Version}: skipped by {PlainText.Escape(skipped.By)} "
                    + $"at {skipped.Time.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}: {PlainText.Escape(skipped.Reason)}"));
        }
    }

    private static void PrintJson(List<(SubscriptionTopic Topic, ParkedAggregate Parked)> all,
        List<(SubscriptionTopic Topic, SkippedEvent Skipped)> passed)
    {
        foreach ((SubscriptionTopic topic, ParkedAggregate parked) in all)
            Write(topic, "parked", JsonSerializer.SerializeToNode(parked, LedgerJson.Default.ParkedAggregate));
        foreach ((SubscriptionTopic topic, SkippedEvent skipped) in passed)
            Write(topic, "skipped", JsonSerializer.SerializeToNode(skipped, LedgerJson.Default.SkippedEvent));
    }

    private static void PrintWaiting(KafkaConnection kafka, SubscriptionTopic topic, ParkedAggregate parked, bool asJson,
        CancellationToken cancellationToken)
    {
        byte[] key = Encoding.UTF8.GetBytes(parked.AggregateId);
        using PartitionLogReader reader = PartitionLogReader.ToEnd(kafka, "kes-subscriptions");
        foreach (ConsumeResult<byte[], byte[]> record in reader.Read(new TopicPartition(topic.Family.Events, parked.Partition),
            parked.Offset, cancellationToken))
        {
            if (!record.Message.Key.AsSpan().SequenceEqual(key))
                continue;
            string version = Header(record, CloudEventHeaders.Sequence);
            string type = Header(record, CloudEventHeaders.Type);
            if (asJson)
                Write(topic, "waits", new JsonObject
                {
                    ["partition"] = record.Partition.Value,
                    ["offset"] = record.Offset.Value,
                    ["version"] = version,
                    ["eventType"] = type,
                });
            else
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"waits: {record.Partition.Value}@{record.Offset.Value}  version {PlainText.Escape(version)} "
                        + $" {PlainText.Escape(type)}"));
        }

        if (!asJson)
            Console.WriteLine("Events of types that the subscription does not handle are among them.");
    }

    private static void Write(SubscriptionTopic topic, string what, JsonNode? value) =>
        Console.WriteLine(new JsonObject
        {
            ["subscription"] = topic.Subscription, ["type"] = topic.Family.Aggregate, [what] = value,
        }.ToJsonString());

    private static string PlaceOf(ParkedAggregate parked) =>
        string.Create(CultureInfo.InvariantCulture, $"{parked.Partition}@{parked.Offset}");

    private static string Header(ConsumeResult<byte[], byte[]> record, string name) =>
        CloudEventHeaders.Find(record.Message.Headers, name) is { } value ? Encoding.UTF8.GetString(value) : "";
}
