using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.History;

/// <summary>Chooses whom to ask for the history of an aggregate.</summary>
internal sealed class HistoryReading(AggregatePlace place, LogHistory log, HttpClient http, KafkaConnection kafka,
    SchemaRegistryConfig registry, string? named, bool withState)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2); // an owner that has ended is told by nobody

    /// <summary>The node that was named, the log, or the owner; the log where no owner answers.</summary>
    /// <exception cref="CommandFailedException">States are wanted, and no node answers.</exception>
    public async Task<IHistorySource> Choose(CancellationToken cancellationToken)
    {
        if (named == "log")
            return log;
        if (named is not null)
            return new NodeHistory(http, new Uri(named), place, withState);
        (Uri? owner, string? problem) = await Task.Run(() => OwnerOf(cancellationToken), cancellationToken).ConfigureAwait(false);
        if (owner is not null)
            problem = await ProblemOf(owner, cancellationToken).ConfigureAwait(false);
        if (problem is null)
            return new NodeHistory(http, owner!, place, withState);
        if (withState)
            throw new CommandFailedException($"{problem} States are folded by a node: start one, or name one with --node.");
        await Console.Error.WriteLineAsync(
            $"{problem} The whole partition {place.Partition.Partition.Value} of {place.Partition.Topic} is read instead.").ConfigureAwait(
                false);
        return log;
    }

    private (Uri? Address, string? Problem) OwnerOf(CancellationToken cancellationToken)
    {
        if (!place.HasOwners)
            return (null, $"There is no topic {place.Family.Owners}, which would name the owner of '{place.Id}'.");
        var partition = new TopicPartition(place.Family.Owners, place.Partition.Partition);
        using var client = new CachedSchemaRegistryClient(registry);
        AvroMessageSerde serde = AvroMessageSerde.Create(client, []);
        try
        {
            PartitionOwner? owner = null;
            foreach (ConsumeResult<byte[], byte[]> record in PartitionLogReader.Read(kafka, "kes-history", partition, 0, cancellationToken))
                owner = record.Message.Value is null ? null : (PartitionOwner)serde.Decode(record.Message.Value);
            return owner is null ? (null, $"No node has owned the partition of '{place.Id}' yet.")
                : Uri.TryCreate(owner.Address, UriKind.Absolute, out Uri? address) ? (address, null)
                : (null, $"The node {owner.Node}, which owns '{place.Id}', has no address.");
        }
        catch (Exception unknown) when (unknown is UndecodableMessageException or HttpRequestException or KafkaException)
        {
            return (null, $"The owner of '{place.Id}' cannot be found: {unknown.Message}");
        }
    }

    // An old owner may be gone, and its port be somebody else's.
    private async Task<string?> ProblemOf(Uri owner, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(Patience, TimeProvider.System);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            using HttpResponseMessage answer = await http.GetAsync(place.EventsOf(owner, "limit=1&consistency=eventual"), stop.Token)
                .ConfigureAwait(false);
            string code = await answer.Content.ReadAsStringAsync(stop.Token).ConfigureAwait(false);
            return answer.IsSuccessStatusCode || code.Contains("\"not-found\"", StringComparison.Ordinal)
                ? null
                : $"The node at {owner}, which owned '{place.Id}' last, answers {(int)answer.StatusCode}.";
        }
        catch (Exception away) when (away is HttpRequestException or OperationCanceledException
            && !cancellationToken.IsCancellationRequested)
        {
            return $"The node at {owner}, which owned '{place.Id}' last, does not answer.";
        }
    }
}
