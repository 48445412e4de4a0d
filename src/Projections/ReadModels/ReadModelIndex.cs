using System.Reflection;

namespace KafkaEventSourcing.Projections;

/// <summary>
/// An index that a read model needs for its queries. Declared by <c>Index</c> of <see cref="ProjectionBuilder{TDocument}"/>. Immutable.
/// </summary>
public sealed class ReadModelIndex
{
    internal ReadModelIndex(IReadOnlyList<ReadModelIndexField> fields, bool isUnique) => (Fields, IsUnique) = (fields, isUnique);

    /// <summary>The fields, in order.</summary>
    public IReadOnlyList<ReadModelIndexField> Fields { get; }

    /// <summary>Whether no two documents may have the same values.</summary>
    public bool IsUnique { get; }
}

/// <summary>A field of an index.</summary>
public sealed class ReadModelIndexField
{
    internal ReadModelIndexField(IReadOnlyList<MemberInfo> path, bool isDescending) => (Path, IsDescending) = (path, isDescending);

    /// <summary>The property of the document; for one inside of another, these from the outside in.</summary>
    public IReadOnlyList<MemberInfo> Path { get; }

    /// <summary>Whether larger values come first.</summary>
    public bool IsDescending { get; }

    /// <summary>The properties' names with dots between.</summary>
    public override string ToString() => string.Join('.', Path.Select(m => m.Name));
}
