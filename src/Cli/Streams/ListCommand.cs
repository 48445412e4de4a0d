using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Streams;

/// <summary><c>kes streams list</c>.</summary>
internal static class ListCommand
{
    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var json = new Option<bool>("--json") { Description = "one JSON object a line" };
        var command = new Command("list", "streams with their members, topics, and what is left to read");
        command.Options.Add(json);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            using IAdminClient admin = ClusterOptions.Admin(kafka);
            List<Line> lines = [.. StreamTopics.Find(admin, kafka, name: null).Select(s => LineOf(admin, kafka, s, cancellationToken))];
            if (result.GetValue(json))
                lines.ForEach(l => Console.WriteLine(l.ToJson().ToJsonString()));
            else
                Print(lines);
            return ExitCodes.Done;
        }, cancellationToken));
        return command;
    }

    private static Line LineOf(IAdminClient admin, KafkaConnection kafka, StreamTopics streams, CancellationToken cancellationToken)
    {
        using var positions = new GroupPositions(kafka, streams.Name, StreamTopics.ClientName);
        GroupInfo? group = streams.Group(admin);
        IReadOnlyList<GroupPosition> of = positions.Of(streams.Sources(positions), cancellationToken);
        return new Line(streams, StreamTopics.StateOf(group), group?.Members.Count ?? 0, of.Sum(p => p.Lag));
    }

    private static void Print(List<Line> lines)
    {
        if (lines.Count == 0)
        {
            Console.WriteLine("No streams.");
            return;
        }

        int width = lines.Select(l => l.Streams.Name.Length).Append("STREAMS".Length).Max();
        Console.WriteLine($"{"STREAMS".PadRight(width)}  GROUP                MEMBERS  CHANGELOGS  REPARTITIONS  DERIVED          LAG*");
        foreach (Line line in lines)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{line.Streams.Name.PadRight(width)}  {line.State,-19}  {line.Members,7}  {line.Count(StreamTopicKind.Changelog),10} "
                    + $" {line.Count(StreamTopicKind.Repartition),12}  {line.Count(StreamTopicKind.Derived),7}  {line.Lag,12}"));
        }

        Console.WriteLine("* offsets up to the ends of what they read: transaction markers count too, but where no record is left");
    }

    private sealed record Line(StreamTopics Streams, string State, int Members, long Lag)
    {
        public int Count(StreamTopicKind kind) => Streams.Of(kind).Count();

        public JsonObject ToJson() => new()
        {
            ["streams"] = Streams.Name,
            ["group"] = State,
            ["members"] = Members,
            ["changelogs"] = Names(StreamTopicKind.Changelog),
            ["repartitions"] = Names(StreamTopicKind.Repartition),
            ["derived"] = Names(StreamTopicKind.Derived),
            ["lag"] = Lag,
        };

        private JsonArray Names(StreamTopicKind kind) => [.. Streams.Of(kind).Select(t => JsonValue.Create(t))];
    }
}
