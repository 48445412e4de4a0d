using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.History;

/// <summary>Where the events of an aggregate are.</summary>
/// <param name="Family">The topics of its type.</param>
/// <param name="Id">Its id.</param>
/// <param name="Partition">The partition of its events.</param>
/// <param name="HasOwners">Whether there is the topic of its owners.</param>
/// <param name="HasDeadLetters">Whether there is the topic of its dead letters.</param>
internal sealed record AggregatePlace(TopicFamily Family, AggregateId Id, TopicPartition Partition, bool HasOwners, bool HasDeadLetters)
{
    /// <summary>Its key.</summary>
    public byte[] Key { get; } = Encoding.UTF8.GetBytes(Id.Value);

    /// <summary>Where the node at <paramref name="address"/> tells its events.</summary>
    public Uri EventsOf(Uri address, string query) =>
        new($"{address.AbsoluteUri.TrimEnd('/')}/{Family.Aggregate}/{Uri.EscapeDataString(Id.Value)}/events?{query}");

    /// <summary>Finds the aggregate type that <paramref name="named"/> names.</summary>
    /// <exception cref="CommandFailedException">It is not there, or no broker answers.</exception>
    public static AggregatePlace Find(KafkaConnection kafka, string named, AggregateId id)
    {
        FamilyTopics found = FamilyTopics.Find(kafka, named);
        int partition = Murmur2.Partition(Encoding.UTF8.GetBytes(id.Value), found.Partitions);
        return new AggregatePlace(found.Family, id, new TopicPartition(found.Family.Events, partition),
            found.All.Contains(found.Family.Owners), found.All.Contains(found.Family.DeadLetters));
    }
}
