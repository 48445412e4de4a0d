using System.Collections.Concurrent;
using System.Reflection;

namespace KafkaEventSourcing.Avro;

/// <summary>Marks the branches of a generated union: which of the schema's branch the type is, and what Avro calls it.</summary>
/// <param name="index">Its place in the union of the schema.</param>
/// <param name="name">The type's name: the full one of a record, an enum and a fixed, else Avro's, such as <c>string</c>.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class AvroBranchAttribute(int index, string name) : Attribute
{
    /// <summary>Its place in the union of the schema.</summary>
    public int Index => index;

    /// <summary>The type's name: the full one of a record, an enum and a fixed, else Avro's, such as <c>string</c>.</summary>
    public string Name => name;
}

/// <summary>A branch of a generated union.</summary>
/// <param name="Index">Its place in the union of the schema.</param>
/// <param name="Name">What Avro calls it.</param>
/// <param name="Type">The record that holds its value.</param>
/// <param name="ValueType">The type of the value.</param>
public sealed record AvroBranch(int Index, string Name, Type Type, Type ValueType)
{
    internal ConstructorInfo Constructor { get; } = Type.GetConstructor([ValueType])!;

    internal PropertyInfo Value { get; } = Type.GetProperty("Value")!;
}

/// <summary>
/// Unions as generated types: an abstract record, with one record in it for each branch but null; null is null. Thread-safe.
/// </summary>
public static class AvroUnion
{
    private static readonly ConcurrentDictionary<Type, IReadOnlyList<AvroBranch>> Known = [];

    /// <summary>The branches of <paramref name="union"/>, without null; none when it is not a union that was generated.</summary>
    public static IReadOnlyList<AvroBranch> BranchesOf(Type union) => Known.GetOrAdd(union, static type => type.IsAbstract
        ? [.. type.GetNestedTypes().Where(nested => nested.BaseType == type)
            .Select(nested => (Type: nested, Mark: nested.GetCustomAttribute<AvroBranchAttribute>())).Where(b => b.Mark is not null)
            .Select(b => new AvroBranch(b.Mark!.Index, b.Mark.Name, b.Type, b.Type.GetProperty("Value")!.PropertyType))
            .OrderBy(b => b.Index)]
        : []);
}
