using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Subscriptions;

namespace KafkaEventSourcing.Cli.Subscriptions;

/// <summary><c>kes subscriptions list [APPLICATION.SUBSCRIPTION]</c>.</summary>
internal static class ListCommand
{
    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var subscription = new Argument<string?>("subscription")
        {
            Description = "APPLICATION.SUBSCRIPTION, such as bank.mailer; all when it is left out", Arity = ArgumentArity.ZeroOrOne,
        };
        var json = new Option<bool>("--json") { Description = "one JSON object a line" };
        var command = new Command("list", "subscriptions, how far each of their partitions has come, and how many aggregates are parked");
        command.Arguments.Add(subscription);
        command.Options.Add(json);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            List<Line> lines = [.. SubscriptionTopic.Find(kafka, result.GetValue(subscription), type: null).SelectMany(t =>
                Lines(kafka, t, cancellationToken))];
            if (result.GetValue(json))
                lines.ForEach(l => Console.WriteLine(l.ToJson().ToJsonString()));
            else
                Print(lines);
            return ExitCodes.Done;
        }, cancellationToken));
        return command;
    }

    private static IEnumerable<Line> Lines(KafkaConnection kafka, SubscriptionTopic topic, CancellationToken cancellationToken)
    {
        using PartitionLogReader reader = PartitionLogReader.ToEnd(kafka, "kes-subscriptions");
        foreach ((int partition, LedgerState state) in topic.Read(kafka, cancellationToken))
        {
            var events = new TopicPartition(topic.Family.Events, partition);
            long? position = (state.Position ?? state.Begin)?.Next;
            long end = reader.Bounds(events, cancellationToken).High.Value;
            DateTime? oldest = position is { } from && from < end
                ? reader.Read(events, from, cancellationToken).FirstOrDefault()?.Message.Timestamp.UtcDateTime
                : null;
            yield return new Line(topic, partition, position, end, oldest is { } time
                ? TimeProvider.System.GetUtcNow().UtcDateTime - time
                : TimeSpan.Zero, oldest is null, state.Parked.Count, state.Skipped.Count);
        }
    }

    private static void Print(List<Line> lines)
    {
        if (lines.Count == 0)
        {
            Console.WriteLine("No subscriptions.");
            return;
        }

        int subscription = lines.Max(l => l.Topic.Subscription.Length);
        int type = lines.Select(l => l.Topic.Family.Aggregate.Length).Append("TYPE".Length).Max();
        subscription = Math.Max(subscription, "SUBSCRIPTION".Length);
        Console.WriteLine($"{"SUBSCRIPTION".PadRight(subscription)}  {"TYPE".PadRight(type)}  PARTITION      POSITION          LAG*     "
            + $"DELAY  PARKED  SKIPPED");
        foreach (Line line in lines)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{line.Topic.Subscription.PadRight(subscription)}  {line.Topic.Family.Aggregate.PadRight(type)}  {line.Partition,9} "
                    + $" {line.Position?.ToString(CultureInfo.InvariantCulture) ?? "-",12} "
                    + $" {line.Lag?.ToString(CultureInfo.InvariantCulture) ?? "-",12}  {line.Delay.TotalSeconds,6:0} s  {line.Parked,6} "
                    + $" {line.Skipped,7}"));
        }

        Console.WriteLine("* offsets up to the end of the events: transaction markers count too. Delay: age of the first event that waits");
    }

    private sealed record Line(SubscriptionTopic Topic, int Partition, long? Position, long End, TimeSpan Delay, bool IsDone, int Parked,
        int Skipped)
    {
        // Behind the last event there is the marker of its transaction.
        public long? Lag => Position is null ? null : IsDone ? 0 : End - Position;

        public JsonObject ToJson() => new()
        {
            ["subscription"] = Topic.Subscription,
            ["type"] = Topic.Family.Aggregate,
            ["partition"] = Partition,
            ["position"] = Position,
            ["end"] = End,
            ["lag"] = Lag,
            ["delaySeconds"] = Math.Round(Math.Max(0, Delay.TotalSeconds), 3),
            ["parked"] = Parked,
            ["skipped"] = Skipped,
        };
    }
}
