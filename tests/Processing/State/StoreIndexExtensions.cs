using System.Text;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>Events of a store by aggregate and version, of which a test wants the places alone.</summary>
internal static class StoreIndexExtensions
{
    private static readonly DateTimeOffset Time = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    public static void PutIndex(this StateStore store, byte[] id, long version, long offset) => store.PutEvent(id,
        new EventHead(AggregateId.Parse(Encoding.UTF8.GetString(id)), version, Time, CommandId.Parse("c"), null), offset, []);

    public static long? OffsetOf(this StateStore store, AggregateId id, long version) =>
        store.Index.OffsetOf(Encoding.UTF8.GetBytes(id.Value), version);
}
