using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Cli.Tests;

/// <summary>
/// <c>kes</c> as an operator types it: output and exit codes of the real program. The tests of a class share one <c>kes up</c>; each has
/// topics of its own.
/// </summary>
public abstract class KesCommands(RunningKes servers) : IDisposable
{
    protected RunningKes Servers { get; } = servers;

    protected static string Kes { get; } = Path.Combine(AppContext.BaseDirectory, "kes.dll");

    protected string Folder { get; } = Directory.CreateTempSubdirectory("kes-cli-").FullName;

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected static Timestamp TimeOf(int day) => new(new DateTime(2026, 3, 1, 0, 0, 0, DateTimeKind.Utc).AddDays(day));

    protected Dictionary<string, string> Environment => new() { ["KES_KAFKA"] = Servers.Kafka, ["KES_REGISTRY"] = Servers.Registry };

    protected async Task CreateTopic(string topic, int partitions)
    {
        using IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Servers.Kafka }).Build();
        // The records' times are fixed days: retention must not find them old.
        await admin.CreateTopicsAsync([new TopicSpecification
        {
            Name = topic,
            NumPartitions = partitions,
            ReplicationFactor = 1,
            Configs = new() { ["retention.ms"] = "-1" },
        }]);
    }

    protected async Task Produce(string topic, int partitions, params (string Key, string Value)[] records)
    {
        await CreateTopic(topic, partitions);
        await Append(topic, partitions, records);
    }

    protected Task Append(string topic, params (string Key, string Value)[] records) => Append(topic, 1, records);

    // Record i goes to partition i modulo the partitions.
    protected async Task Append(string topic, int partitions, (string Key, string Value)[] records)
    {
        using IProducer<string, string> producer = new ProducerBuilder<string, string>(
            new ProducerConfig { BootstrapServers = Servers.Kafka }).Build();
        for (int i = 0; i < records.Length; i++)
        {
            var message = new Message<string, string>
            {
                Key = records[i].Key, Value = records[i].Value, Timestamp = TimeOf(i),
                Headers = new Headers { { "n", Encoding.UTF8.GetBytes(i.ToString(CultureInfo.InvariantCulture)) } },
            };
            await producer.ProduceAsync(new TopicPartition(topic, i % partitions), message, Cancellation);
        }
    }

    protected async Task<string[]> Values(string topic, params string[] options) =>
        [.. (await Lines(["topics", "tail", topic, "--json", .. options])).Select(l => JsonNode.Parse(l)!["value"]!.GetValue<string>())];

    protected async Task<string[]> Lines(params string[] arguments)
    {
        ProgramRun run = await Run(arguments);
        run.ExitCode.ShouldBe(0, run.Output);
        return run.Output.Split(System.Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
    }

    protected ProgramRun Start(params string[] arguments) => ProgramRun.Start("dotnet", [Kes, .. arguments], Environment);

    protected Task<ProgramRun> Run(params string[] arguments) =>
        ProgramRun.FinishAsync("dotnet", [Kes, .. arguments], Environment, Cancellation);
}
