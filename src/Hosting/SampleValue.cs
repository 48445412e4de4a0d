using System.Collections;
using System.Reflection;
using System.Text.Json;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Hosting;

/// <summary>A value of a type with every property filled: what a message or a document looks like when nobody gave an example.</summary>
internal static class SampleValue
{
    private const int MaxDepth = 6;

    private static readonly DateTime Day = new(2026, 1, 31, 0, 0, 0, DateTimeKind.Utc);

    private static readonly Dictionary<Type, object> Plain = new object[]
    {
        true, (byte)1, (sbyte)1, (short)1, (ushort)1, 1, 1U, 1L, 1UL, 1.5F, 1.5, 1.5M, 'a', Day, new DateTimeOffset(Day),
        DateOnly.FromDateTime(Day), new TimeOnly(12, 30), TimeSpan.FromMinutes(1), (AvroDecimal)1.5M, new AvroDuration(1, 2, 3),
        new Guid("019c0000-0000-7000-8000-000000000001"), new Uri("https://example.org/"), new byte[] { 1, 2, 3 },
    }.ToDictionary(v => v.GetType());

    /// <summary>A value of <paramref name="type"/>.</summary>
    /// <exception cref="InvalidOperationException">The type cannot be made.</exception>
    public static object Of(Type type) => Of(type, type.Name, 0)
        ?? throw new InvalidOperationException(
            $"There is no example of {type.Name}: give one with {nameof(EventSourcedApplication.WithExamples)}.");

    private static object? Of(Type type, string name, int depth)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string))
            return JsonNamingPolicy.CamelCase.ConvertName(name);
        if (Plain.TryGetValue(type, out object? plain))
            return plain;
        if (type.IsEnum)
            return Enum.GetValues(type).GetValue(0);
        if (depth == MaxDepth)
            return null;
        if (type.IsArray)
            return ArrayOf(type.GetElementType()!, name, depth);
        return typeof(IEnumerable).IsAssignableFrom(type) ? CollectionOf(type, name, depth) : ObjectOf(type, depth);
    }

    private static Array ArrayOf(Type element, string name, int depth)
    {
        object? item = Of(element, name, depth + 1);
        var array = Array.CreateInstance(element, item is null ? 0 : 1);
        if (item is not null)
            array.SetValue(item, 0);
        return array;
    }

    private static object? CollectionOf(Type type, string name, int depth)
    {
        Type[] arguments = type.GetGenericArguments();
        if (arguments is [var key, var value] && typeof(Dictionary<,>).MakeGenericType(key, value) is var map && type.IsAssignableFrom(map))
        {
            var entries = (IDictionary)Activator.CreateInstance(map)!;
            if (Of(key, "key", depth + 1) is { } keyed)
                entries.Add(keyed, Of(value, name, depth + 1));
            return entries;
        }

        if (arguments is not [var element])
            return null;
        Array items = ArrayOf(element, name, depth);
        if (type.IsAssignableFrom(items.GetType()))
            return items;
        var list = typeof(List<>).MakeGenericType(element);
        return type.IsAssignableFrom(list) ? Activator.CreateInstance(list, items) : null;
    }

    // Records made by their constructor, then what can be set besides; "required" binds compilers only.
    private static object? ObjectOf(Type type, int depth)
    {
        if (AvroUnion.BranchesOf(type) is [var branch, ..])
            return Of(branch.Type, branch.ValueType.Name, depth);
        if (type.IsAbstract || type.GetConstructors().OrderBy(c => c.GetParameters().Length).FirstOrDefault() is not { } constructor)
            return null;
        object made = constructor.Invoke([.. constructor.GetParameters().Select(p => Of(p.ParameterType, p.Name!, depth + 1))]);
        foreach (PropertyInfo property in type.GetProperties().Where(p =>
            p.SetMethod is { IsPublic: true } && p.GetIndexParameters().Length == 0))
            property.SetValue(made, Of(property.PropertyType, property.Name, depth + 1));
        return made;
    }
}
