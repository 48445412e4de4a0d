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
            if (!Items<T>.Same(left[i], right[i]))
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
            if (!right.TryGetValue(key, out T? other) || !Items<T>.Same(value, other))
                return false;
        }

        return true;
    }

    /// <summary>Whether both are null, or equal bytes.</summary>
    public static bool Same(byte[]? left, byte[]? right) =>
        left is null || right is null ? ReferenceEquals(left, right) : left.AsSpan().SequenceEqual(right);

    /// <summary>How items are compared: what they are is known once for each type, collections in collections by what is in them.</summary>
    private static class Items<T>
    {
        public static readonly Func<T, T, bool> Same = Make();

        private static Func<T, T, bool> Make()
        {
            if (typeof(T) == typeof(byte[]))
                return (Func<T, T, bool>)(object)(Func<byte[]?, byte[]?, bool>)AvroEquality.Same;
            if (!typeof(T).IsGenericType || typeof(T).GetGenericTypeDefinition() is var definition
                && definition != typeof(IReadOnlyList<>)
                && definition != typeof(IReadOnlyDictionary<,>))
                return EqualityComparer<T>.Default.Equals;
            System.Reflection.MethodInfo same = typeof(AvroEquality).GetMethods().Single(m =>
                m.Name == nameof(AvroEquality.Same)
                    && m.IsGenericMethod
                    && m.GetParameters()[0].ParameterType.GetGenericTypeDefinition() == typeof(T).GetGenericTypeDefinition());
            return same.MakeGenericMethod(typeof(T).GetGenericArguments()[^1]).CreateDelegate<Func<T, T, bool>>();
        }
    }
}
