using System.Buffers.Binary;
using System.Net;
using System.Text;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Embedded.Kafka;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class SessionTimeoutTests
{
    private const int Partitions = 2;
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan BeforeTheDefault = TimeSpan.FromSeconds(35); // librdkafka's is 45 s

    private readonly TopicFamily _topics = new("app", "thing");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // Read models stood still for 45 s after their node was killed, whatever --session-timeout said.
    [Fact]
    public async Task Partitions_of_a_subscriber_that_is_silent_go_to_another_after_the_session_timeout()
    {
        await using var proxy = new TcpProxy(TimeProvider.System, ClientId);
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { AdvertisedPort = proxy.Port },
            cancellationToken: Cancellation);
        proxy.Target = IPEndPoint.Parse(kafka.BootstrapServers);
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = "http://127.0.0.1:9" });
        var connection = new KafkaConnection { BootstrapServers = $"127.0.0.1:{proxy.Port}" };
        using (var provisioner = new TopicProvisioner(connection))
            await provisioner.ApplyAsync(await provisioner.PlanAsync(TopicDeclaration.For(_topics, Partitions, -1), Cancellation),
                Cancellation);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);

        (Task silent, Task hasAll) = Subscribe("silent");
        await hasAll.WaitAsync(Cancellation);
        proxy.Line("silent").Stall();
        (Task other, Task otherHasAll) = Subscribe("other");
        await otherHasAll.WaitAsync(BeforeTheDefault, TimeProvider.System, Cancellation);

        proxy.Line("silent").Mend();
        await stop.CancelAsync();
        await Task.WhenAll(silent, other).WaitAsync(Cancellation);

        (Task Running, Task HasAll) Subscribe(string client)
        {
            var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var asked = new HashSet<int>();
            var subscription = new EventSubscription(
                connection with { Settings = new Dictionary<string, string> { ["client.id"] = client } },
                _topics,
                AvroMessageSerde.Create(registry, []),
                new EventSubscriptionOptions { GroupId = "app-readers", SessionTimeout = SessionTimeout },
                TimeProvider.System,
                NullLoggerFactory.Instance);
            Task running = subscription.RunAsync(
                (partition, _) =>
                {
                    asked.Add(partition);
                    if (asked.Count == Partitions)
                        all.TrySetResult();
                    return default;
                },
                (_, _) => Task.CompletedTask,
                stop.Token);
            return (running, all.Task);
        }
    }

    [Fact]
    public void Session_timeout_of_less_than_a_second_is_refused() =>
        Should.Throw<InvalidInputException>(new EventSubscriptionOptions
        {
            GroupId = "g", SessionTimeout = TimeSpan.FromMilliseconds(10),
        }.Validate).Message.ShouldContain("at least a second");

    // The size, the kind, version and number of the request, and then the client's id.
    private static string? ClientId(ReadOnlySpan<byte> first)
    {
        const int length = 12;
        return first.Length >= length + sizeof(short)
            && BinaryPrimitives.ReadInt16BigEndian(first[length..]) is var bytes
            && first.Length >= length + sizeof(short) + bytes
            ? Encoding.UTF8.GetString(first.Slice(length + sizeof(short), bytes))
            : null;
    }
}
