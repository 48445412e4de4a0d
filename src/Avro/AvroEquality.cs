namespace KafkaEventSourcing.Avro;

/// <summary>Equality of collections, item by item; used by generated code.</summary>
public static class AvroEquality
{
    /// <summary>Whether both are null, or have equal items in one order.</summary>
    public static bool Same<T>(IReadOnlyList<T>? left, IReadOnlyList<T>? right)
    {
        if (left is null || right is null)
            return ReferenceEquals(left, right);
        if (left.Count != right.Count)
            return false;
        for (int i = 0; i < left.Count; i++)
        {
            if (left[i] is byte[] bytes ? !bytes.AsSpan().SequenceEqual(right[i] as byte[]) : !EqualityComparer<T>.Default.Equals(left[i], right[i]))
                return false;
        }

        return true;
    }

    /// <summary>Whether both are null, or have equal values under equal keys.</summary>
    public static bool Same<T>(IReadOnlyDictionary<string, T>? left, IReadOnlyDictionary<string, T>? right)
    {
        if (left is null || right is null)
            return ReferenceEquals(left, right);
        if (left.Count != right.Count)
            return false;
        foreach ((string key, T value) in left)
        {
            if (!right.TryGetValue(key, out T? other) || !EqualityComparer<T>.Default.Equals(value, other))
                return false;
        }

        return true;
    }

    /// <summary>Whether both are null, or equal bytes.</summary>
    public static bool Same(byte[]? left, byte[]? right) => left is null || right is null ? ReferenceEquals(left, right) : left.AsSpan().SequenceEqual(right);
}
