using System.Text.Json.Nodes;

namespace KafkaEventSourcing.Cli.History;

/// <summary>Where the events of an aggregate are read from.</summary>
internal interface IHistorySource
{
    /// <summary>
    /// The events from <paramref name="version"/> on, which are not before <paramref name="offset"/> of the partition, as the HTTP
    /// interface shows them.
    /// </summary>
    IAsyncEnumerable<JsonObject> Read(long version, long offset, CancellationToken cancellationToken);
}
