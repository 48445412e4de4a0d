using System.Globalization;
using System.Text;
using KafkaEventSourcing.EventLog;
using RocksDbSharp;

namespace KafkaEventSourcing.Processing;

/// <summary>Whose aggregates a store has.</summary>
internal static class StorePartition
{
    /// <summary>
    /// Whether all aggregates belong to <paramref name="partition"/> of <paramref name="partitions"/>. All keys are looked at once, and
    /// again when the number has changed: a store of before, or of code that decided commands wherever they lay, may have others.
    /// </summary>
    public static bool HasOnlyAggregatesOf(RocksDb database, WriteOptions write, int partition, int partitions)
    {
        byte[] of = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{partition}/{partitions}"));
        if (database.Get(StoreKeys.Partitions) is { } checkedFor && checkedFor.AsSpan().SequenceEqual(of))
            return true;
        using (Iterator all = database.NewIterator())
        {
            for (all.Seek([StoreKeys.State]); all.Valid() && all.GetKeySpan() is var key && key[0] == StoreKeys.State; all.Next())
            {
                if (Murmur2.Partition(key[1..], partitions) != partition)
                    return false;
            }
        }

        database.Put(StoreKeys.Partitions, of, writeOptions: write);
        return true;
    }

    /// <summary>How many aggregates there are.</summary>
    public static long Count(RocksDb database)
    {
        long count = 0;
        using Iterator all = database.NewIterator();
        for (all.Seek([StoreKeys.State]); all.Valid() && all.GetKeySpan()[0] == StoreKeys.State; all.Next())
            count++;
        return count;
    }
}
