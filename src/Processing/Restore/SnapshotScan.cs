using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Reads the newest snapshots of a partition as they are, into memory, without a store.</summary>
internal static class SnapshotScan
{
    /// <summary>The newest snapshot of each aggregate whose snapshot is whole, by aggregate id.</summary>
    /// <param name="records">The records of a partition of a snapshots topic, in order.</param>
    /// <param name="decode">Decodes the value of a record; null: it cannot be read, and is passed over.</param>
    public static IReadOnlyDictionary<string, AggregateSnapshot> Read(IEnumerable<ConsumeResult<byte[], byte[]>> records,
        Func<ConsumeResult<byte[], byte[]>, IAvroRecord?> decode)
    {
        var first = new Dictionary<string, AggregateSnapshot>();
        var parts = new Dictionary<string, Dictionary<int, AggregateSnapshot>>();
        foreach (ConsumeResult<byte[], byte[]> record in records)
        {
            byte[] key = record.Message.Key ?? [];
            bool isPart = SnapshotParts.TryReadKey(key, out byte[] aggregate, out int number);
            if (!isPart && key is [0, ..])
            {
                if (record.Message.Value is not null) // a barrier that was withdrawn
                    decode(record); // a barrier or a position
                continue;
            }

            string id = Encoding.UTF8.GetString(isPart ? aggregate : key);
            AggregateSnapshot? snapshot = record.Message.Value is null ? null : decode(record) as AggregateSnapshot;
            if (isPart && snapshot is not null)
                PartsOf(id)[number] = snapshot;
            else if (isPart)
                PartsOf(id).Remove(number);
            else if (snapshot is not null)
                first[id] = snapshot;
            else
                first.Remove(id);
        }

        return first.Where(s => IsWhole(s.Key, s.Value)).ToDictionary(s => s.Key, s => SnapshotParts.Join(s.Value, s.Key, PartsOf(s.Key)));

        Dictionary<int, AggregateSnapshot> PartsOf(string id)
        {
            if (!parts.TryGetValue(id, out Dictionary<int, AggregateSnapshot>? known))
                parts.Add(id, known = []);
            return known;
        }

        bool IsWhole(string id, AggregateSnapshot snapshot) =>
            Enumerable.Range(1, snapshot.Parts).All(p => PartsOf(id).GetValueOrDefault(p)?.Version == snapshot.Version);
    }
}
