using System.Collections;
using System.Collections.Concurrent;
using System.Reflection;

namespace KafkaEventSourcing.Projections;

/// <summary>
/// About how many bytes of memory an object takes with all that it holds: texts, bytes, and what is in its lists. Of a long list a few
/// items speak for the others. Thread-safe.
/// </summary>
internal static class ObjectSize
{
    private const int Head = 48; // of an object: its header, its place in a table, and the reference to it
    private const int PerValue = 16;
    private const int Sampled = 8;
    private const int Deepest = 6;

    private static readonly ConcurrentDictionary<Type, Func<object, object?>[]> References = [];

    public static long Of(object? value) => Of(value, 0);

    private static long Of(object? value, int depth)
    {
        switch (value)
        {
            case null:
                return 0;
            case string text:
                return Head + (text.Length * (long)sizeof(char));
            case byte[] bytes:
                return Head + bytes.Length;
            case IDictionary map:
                return Head + OfItems(map.Count, map.Values, depth) + OfItems(map.Count, map.Keys, depth);
            case ICollection list:
                return Head + OfItems(list.Count, list, depth);
        }

        Type type = value.GetType();
        if (type.IsPrimitive || type.IsEnum || depth >= Deepest)
            return PerValue;
        long size = Head;
        foreach (Func<object, object?> reference in References.GetOrAdd(type, static of => Readers(of)))
            size += Of(reference(value), depth + 1);
        return size + PerValue;
    }

    private static long OfItems(int count, IEnumerable items, int depth)
    {
        long size = 0;
        int seen = 0;
        foreach (object? item in items)
        {
            size += PerValue + Of(item, depth + 1);
            if (++seen == Sampled)
                break;
        }

        return seen == 0 ? 0 : size * count / seen;
    }

    // What a value type without references has is in the object itself, or near enough.
    private static bool HasReferences(Type type) =>
        !type.IsValueType || (!type.IsPrimitive
            && !type.IsEnum
            && type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).Any(f =>
                f.FieldType != type && HasReferences(f.FieldType)));

    private static Func<object, object?>[] Readers(Type type)
    {
        var readers = new List<Func<object, object?>>();
        for (Type? of = type; of is not null && of != typeof(object); of = of.BaseType)
        {
            foreach (FieldInfo field in of.GetFields(
                BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                if (HasReferences(field.FieldType)
                    && !field.FieldType.IsPointer
                    && !typeof(Delegate).IsAssignableFrom(field.FieldType)
                    && field.FieldType != typeof(Type))
                    readers.Add(field.GetValue);
            }
        }

        return [.. readers];
    }
}
