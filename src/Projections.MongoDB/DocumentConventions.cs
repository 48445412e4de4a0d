using System.Collections.Concurrent;
using MongoDB.Bson;
using MongoDB.Bson.Serialization.Conventions;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// How documents of read models look to analysts: field names in camel case, enums by name, values in the BSON type that sorts as they
/// compare (<see cref="StoredTypes"/>), unknown fields ignored (a later version may have added them), missing ones as the type declares
/// them (<see cref="DeclaredDefaults"/>). It holds for the types of registered projections only; other types of the process stay as they
/// are.
/// </summary>
internal static class DocumentConventions
{
    private static readonly ConcurrentDictionary<Type, bool> DocumentTypes = [];
    private static readonly Lock RegisterLock = new();
    private static bool _registered;

    public static void Apply(Type documentType)
    {
        lock (RegisterLock)
        {
            if (!_registered)
            {
                var conventions = new ConventionPack
                {
                    new CamelCaseElementNameConvention(),
                    new EnumRepresentationConvention(BsonType.String),
                    new StoredTypes(),
                    new IgnoreExtraElementsConvention(true),
                    new DeclaredDefaults(),
                };
                ConventionRegistry.Register("KafkaEventSourcing read models", conventions, DocumentTypes.ContainsKey);
                _registered = true;
            }
        }

        Add(documentType);
    }

    private static void Add(Type type)
    {
        bool isOfTheSystem = type.Namespace is { } space
            && (space == "System" || space.StartsWith("System.", StringComparison.Ordinal));
        if (type.IsPrimitive || type.IsEnum || (isOfTheSystem && !type.IsGenericType && !type.HasElementType))
            return;
        if (type.IsGenericType || type.HasElementType)
        {
            foreach (Type part in type.HasElementType ? [type.GetElementType()!] : type.GetGenericArguments())
                Add(part);
        }

        if (isOfTheSystem || !DocumentTypes.TryAdd(type, true))
            return;
        foreach (System.Reflection.PropertyInfo property in type.GetProperties())
            Add(property.PropertyType);
    }
}
