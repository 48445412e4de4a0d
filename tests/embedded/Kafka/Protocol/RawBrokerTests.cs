using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>Tests that speak to a broker in raw requests, in versions that no client of ours speaks.</summary>
public abstract class RawBrokerTests : IAsyncLifetime
{
    protected string Folder { get; } = Directory.CreateTempSubdirectory("kafka-raw-").FullName;

    private protected EmbeddedKafka Kafka { get; private set; } = null!;

    private protected RawClient Client { get; private set; } = null!;

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    protected virtual EmbeddedKafkaOptions Options => new();

    public ValueTask InitializeAsync() => Start(Options);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Kafka.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected async ValueTask Start(EmbeddedKafkaOptions options, ILoggerFactory? log = null)
    {
        Kafka = await EmbeddedKafka.StartAsync(options with { DataDirectory = Folder }, log, cancellationToken: Cancellation);
        Client = new RawClient(Kafka);
    }

    protected async Task Restart(EmbeddedKafkaOptions options, ILoggerFactory? log = null, Action? before = null)
    {
        Client.Dispose();
        await Kafka.DisposeAsync();
        before?.Invoke();
        await Start(options, log);
    }

    protected Guid Create(string topic) => Create(topic, 1);

    protected Guid Create(string topic, int partitions) =>
        Client.Ask<CreateTopicsRequest, CreateTopicsResponse>(new CreateTopicsRequest
        {
            Topics = [new CreateTopicsRequest.CreatableTopic { Name = topic, NumPartitions = partitions, ReplicationFactor = 1 }],
        }, 7, CreateTopicsResponse.Read).Topics[0].TopicId;
}
