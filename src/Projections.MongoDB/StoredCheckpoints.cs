using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>The checkpoints of a database as they are stored, for whoever does not know its read models. Thread-safe.</summary>
internal sealed class StoredCheckpoints : IDisposable
{
    private readonly MongoClient _client;
    private readonly IMongoCollection<BsonDocument> _checkpoints;

    /// <summary>Those of the database of an application.</summary>
    /// <exception cref="InvalidInputException">The address is not one of MongoDB.</exception>
    public StoredCheckpoints(string address, string application, string collection = "checkpoints")
    {
        _client = new MongoClient(MongoAddress.Parse(address));
        _checkpoints = _client.GetDatabase(application).GetCollection<BsonDocument>(collection);
    }

    /// <summary>
    /// By read model, the next offset of a partition of the events topic with the id <paramref name="topicId"/>; null where the checkpoint
    /// is damaged.
    /// </summary>
    /// <exception cref="MongoException">MongoDB does not answer.</exception>
    /// <exception cref="TimeoutException">MongoDB does not answer in time.</exception>
    public IReadOnlyList<(string ReadModel, long? Next)> Of(string topicId, int partition, CancellationToken cancellationToken) =>
    [
        .. _checkpoints.Find(new BsonDocument { { Checkpoint.Partition, partition }, { Checkpoint.Topic, topicId } })
            .ToList(cancellationToken).Where(c => c.Contains(Checkpoint.Projection))
            .Select(c => (c[Checkpoint.Projection].ToString()!,
                Checkpoint.Read(c) is { IsGenuine: true } genuine ? (long?)genuine.NextOffset : null))
            .OrderBy(c => c.Item1, StringComparer.Ordinal),
    ];

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();
}
