using System.CommandLine;
using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary><c>kes topics list</c>.</summary>
internal static class ListCommand
{
    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var all = new Option<bool>("--all") { Description = "Kafka's own topics too" };
        var command = new Command("list", "names, partitions and replicas of all topics");
        command.Options.Add(all);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction(result =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            using IAdminClient admin = ClusterOptions.Admin(kafka);
            List<TopicMetadata> topics = ClusterOptions.Topics(admin, kafka);
            if (!result.GetValue(all))
                topics.RemoveAll(t => t.Topic.StartsWith('_'));
            int width = topics.Select(t => t.Topic.Length).Append("TOPIC".Length).Max();
            Console.WriteLine($"{"TOPIC".PadRight(width)}  PARTITIONS  REPLICAS");
            foreach (TopicMetadata topic in topics)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{topic.Topic.PadRight(width)}  {topic.Partitions.Count,10} "
                        + $" {topic.Partitions.FirstOrDefault()?.Replicas.Length ?? 0,8}"));
            return ExitCodes.Done;
        });
        return command;
    }
}
