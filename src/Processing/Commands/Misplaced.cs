using Confluent.Kafka;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Records of the log on another partition than that of their key: the partition is not served, as its state would have a second history of
/// an aggregate that lives elsewhere.
/// </summary>
internal static class Misplaced
{
    /// <summary>What halts the partition.</summary>
    public static UnexpectedLogException Refuse(TopicPartitionOffset place, string what, string id, int right, int partitions) => new(
        place.Topic,
        $"The {what} {place.Topic} {place.Partition.Value}@{place.Offset.Value} of '{id}' lies on partition {place.Partition.Value}, and "
            + $"of {partitions} partitions its key belongs to {right}: partition {place.Partition.Value} is not served. "
        + "Either the topics were given more partitions, which moves aggregates away from their events: make them anew with the old "
        + "number. Or another writer, or an old version that decided commands wherever they lay, has put it there: "
        + $"'kes dead-letters discard {FamilyOf(place.Topic)} --misplaced --reason WHY' shows and gives up all such records, and every "
        + $"reader passes over them.");

    private static string FamilyOf(string topic) => topic[..topic.LastIndexOf('.')];
}
