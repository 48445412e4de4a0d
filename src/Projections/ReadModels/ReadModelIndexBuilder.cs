using System.Linq.Expressions;
using System.Reflection;

namespace KafkaEventSourcing.Projections;

/// <summary>Collects the fields of one index. Not thread-safe; used once at start-up.</summary>
public sealed class ReadModelIndexBuilder<TDocument>
    where TDocument : class
{
    private readonly string _projection;
    private readonly List<ReadModelIndexField> _fields = [];
    private bool _isUnique;

    internal ReadModelIndexBuilder(string projection) => _projection = projection;

    /// <summary>The next field, smaller values first.</summary>
    /// <param name="field">A property: <c>d => d.Owner</c>, one inside of another: <c>d => d.Address.City</c>, or of the elements of a
    /// list: <c>d => d.Lines.Select(l => l.Product)</c>.</param>
    /// <exception cref="InvalidOperationException">It is something else.</exception>
    public ReadModelIndexBuilder<TDocument> Ascending(Expression<Func<TDocument, object?>> field) => Add(field, isDescending: false);

    /// <summary>The next field, larger values first.</summary>
    /// <inheritdoc cref="Ascending"/>
    public ReadModelIndexBuilder<TDocument> Descending(Expression<Func<TDocument, object?>> field) => Add(field, isDescending: true);

    /// <summary>No two documents may have the same values.</summary>
    public ReadModelIndexBuilder<TDocument> Unique()
    {
        _isUnique = true;
        return this;
    }

    internal ReadModelIndex Build() => _fields.Count > 0
        ? new ReadModelIndex([.. _fields], _isUnique)
        : throw new InvalidOperationException($"An index of the projection '{_projection}' has no field.");

    private ReadModelIndexBuilder<TDocument> Add(Expression<Func<TDocument, object?>> field, bool isDescending)
    {
        ArgumentNullException.ThrowIfNull(field);
        var path = new List<MemberInfo>();
        if (!Collect(field.Body, field.Parameters[0], path) || path.Count == 0)
            throw new InvalidOperationException($"The index field '{field}' of the projection '{_projection}' is not a property of its "
                + $"documents: write it as d => d.Owner, d => d.Address.City, or d => d.Lines.Select(l => l.Product).");
        _fields.Add(new ReadModelIndexField(path, isDescending));
        return this;
    }

    // Appends the members from the document to the field.
    private static bool Collect(Expression expression, ParameterExpression document, List<MemberInfo> path)
    {
        switch (expression)
        {
            case ParameterExpression parameter:
                return parameter == document;
            case UnaryExpression { NodeType: ExpressionType.Convert or ExpressionType.ConvertChecked } boxed:
                return Collect(boxed.Operand, document, path);
            case MemberExpression { Expression: { } owner } member:
                if (!Collect(owner, document, path))
                    return false;
                if (Nullable.GetUnderlyingType(owner.Type) is null) // the value of a nullable is the field itself
                    path.Add(member.Member);
                return true;
            case MethodCallExpression { Method: { Name: nameof(Enumerable.Select), DeclaringType: var type },
                Arguments: [var list, LambdaExpression { Parameters: [var element] } select] } when type == typeof(Enumerable):
                return Collect(list, document, path) && Collect(select.Body, element, path);
            default:
                return false;
        }
    }
}
