using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>A document is being changed by a transaction; whoever waits for its end may try again.</summary>
internal sealed class OwnedByTransactionException(Task ended) : Exception("The document is being changed by a transaction.")
{
    public Task Ended => ended;
}
