namespace KafkaEventSourcing.Avro;

/// <summary>Collections whose items are kept as their schema has them, such as in whole milliseconds; used by generated code.</summary>
public static class AvroItems
{
    /// <summary>The items, each as <paramref name="kept"/> makes it; null for null.</summary>
    public static IReadOnlyList<T> Keep<T>(IReadOnlyList<T> items, Func<T, T> kept) => items is null ? null! : items.Select(kept).ToList();

    /// <summary>The entries, each value as <paramref name="kept"/> makes it; null for null.</summary>
    public static IReadOnlyDictionary<string, T> Keep<T>(IReadOnlyDictionary<string, T> entries, Func<T, T> kept) =>
        entries is null ? null! : entries.ToDictionary(p => p.Key, p => kept(p.Value));
}
