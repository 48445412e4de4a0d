using System.Reflection;

namespace KafkaEventSourcing.Projections;

/// <summary>The key of a document: its property <c>Id</c> of type string.</summary>
internal static class DocumentId<TDocument>
    where TDocument : class
{
    /// <summary>Reads it; null: the type does not have it.</summary>
    public static Func<TDocument, string>? Getter { get; } =
        typeof(TDocument).GetProperties(BindingFlags.Public | BindingFlags.Instance).FirstOrDefault(p =>
            p.Name == "Id" && p.PropertyType == typeof(string))?.GetMethod?.CreateDelegate<Func<TDocument, string>>();
}
