using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing;

/// <summary>Who owns a partition, as its owner has published it.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="Generation">The offset of the record that says so: of two, the higher one holds. Only the partition's transactional
/// producer writes it, so a deposed owner cannot.</param>
/// <param name="Node">The id of the node.</param>
/// <param name="Address">The base of its HTTP interface; null: it has none.</param>
/// <param name="Status">What it is doing with the partition.</param>
/// <param name="Time">When it was published, by that node's clock.</param>
public sealed record PartitionOwnership(int Partition, long Generation, string Node, Uri? Address, OwnerStatus Status, DateTimeOffset Time);
