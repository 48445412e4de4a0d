using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Streams;

/// <summary><c>kes streams describe STREAMS</c>.</summary>
internal static class DescribeCommand
{
    public static Command Create()
    {
        var cluster = new ClusterOptions();
        Argument<string> name = StreamTopics.Argument();
        var json = new Option<bool>("--json") { Description = "one JSON object a line" };
        var command = new Command("describe",
            "what streams read and how far they are in it, who runs them, and the topics that they write");
        command.Arguments.Add(name);
        command.Options.Add(json);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            using IAdminClient admin = ClusterOptions.Admin(kafka);
            StreamTopics streams = StreamTopics.Find(admin, kafka, result.GetValue(name))[0];
            using var positions = new GroupPositions(kafka, streams.Name, StreamTopics.ClientName);
            IReadOnlyList<GroupPosition> read = positions.Of(streams.Sources(positions), cancellationToken);
            using PartitionLogReader reader = PartitionLogReader.ToEnd(kafka, StreamTopics.ClientName);
            List<Written> written = [.. streams.Topics.OrderBy(t => t.Kind).ThenBy(t => t.Topic.Topic, StringComparer.Ordinal).Select(t =>
                WrittenOf(reader, t.Topic, t.Kind, cancellationToken))];
            if (result.GetValue(json))
                PrintJson(streams, streams.Group(admin), read, written);
            else
                Print(streams, streams.Group(admin), read, written);
            return ExitCodes.Done;
        }, cancellationToken));
        return command;
    }

    private static Written WrittenOf(PartitionLogReader reader, TopicMetadata topic, StreamTopicKind kind,
        CancellationToken cancellationToken)
    {
        long offsets = 0;
        foreach (PartitionMetadata partition in topic.Partitions)
        {
            WatermarkOffsets bounds = reader.Bounds(new TopicPartition(topic.Topic, partition.PartitionId), cancellationToken);
            offsets += bounds.High.Value - bounds.Low.Value;
        }

        return new Written(topic.Topic, kind, topic.Partitions.Count, offsets);
    }

    private static void Print(StreamTopics streams, GroupInfo? group, IReadOnlyList<GroupPosition> read, List<Written> written)
    {
        Console.WriteLine($"{streams.Name}: {StateOf(group)}");
        foreach (GroupMemberInfo member in group?.Members ?? [])
            Console.WriteLine($"member: {member.ClientId} at {member.ClientHost}");
        int width = read.Select(r => r.Partition.Topic.Length).Append("READS".Length).Max();
        Console.WriteLine($"{"READS".PadRight(width)}  PARTITION         FIRST      POSITION           END          LAG*");
        foreach (GroupPosition position in read)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{position.Partition.Topic.PadRight(width)}  {position.Partition.Partition.Value,9}  {position.First,12} "
                    + $" {position.Next?.ToString(CultureInfo.InvariantCulture) ?? "-",12}  {position.End,12}  {position.Lag,12}"));
        }

        width = written.Select(w => w.Topic.Length).Append("WRITES".Length).Max();
        Console.WriteLine($"{"WRITES".PadRight(width)}  KIND         PARTITIONS      RECORDS**");
        foreach (Written topic in written)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{topic.Topic.PadRight(width)}  {Word(topic.Kind),-11}  {topic.Partitions,10}  {topic.Offsets,13}"));
        }

        Console.WriteLine("* offsets up to the end: transaction markers count too, but where no record is left");
        Console.WriteLine("** offsets in use: transaction markers and compacted records count too");
        Console.WriteLine("Topics that a topology of one's own writes under other names are not seen from here.");
    }

    private static void PrintJson(StreamTopics streams, GroupInfo? group, IReadOnlyList<GroupPosition> read, List<Written> written)
    {
        Console.WriteLine(new JsonObject
        {
            ["streams"] = streams.Name,
            ["group"] = StreamTopics.StateOf(group),
            ["members"] = new JsonArray([.. (group?.Members ?? []).Select(m => JsonValue.Create(m.ClientId))]),
        }.ToJsonString());
        foreach (GroupPosition position in read)
        {
            Console.WriteLine(new JsonObject
            {
                ["reads"] = position.Partition.Topic,
                ["partition"] = position.Partition.Partition.Value,
                ["first"] = position.First,
                ["position"] = position.Next,
                ["end"] = position.End,
                ["lag"] = position.Lag,
            }.ToJsonString());
        }

        foreach (Written topic in written)
        {
            Console.WriteLine(new JsonObject
            {
                ["writes"] = topic.Topic, ["kind"] = Word(topic.Kind), ["partitions"] = topic.Partitions, ["offsets"] = topic.Offsets,
            }.ToJsonString());
        }
    }

    // While stores are restored the group is stable, and positions do not move: only the process itself knows how much is left.
    private static string StateOf(GroupInfo? group) => group switch
    {
        null or { Members.Count: 0 } => "nobody runs them.",
        { State: "Stable" } => string.Create(CultureInfo.InvariantCulture,
            $"{group.Members.Count} {(group.Members.Count == 1 ? "member" : "members")}, each with its partitions. Whether stores are "
                + $"still restored is known to each process: its health check and kes_streams_restore_remaining."),
        _ => $"partitions are being given to members ({group.State}).",
    };

    private static string Word(StreamTopicKind kind) => kind switch
    {
        StreamTopicKind.Changelog => "changelog",
        StreamTopicKind.Repartition => "repartition",
        _ => "derived",
    };

    private sealed record Written(string Topic, StreamTopicKind Kind, int Partitions, long Offsets);
}
