namespace KafkaEventSourcing;

/// <summary>An aggregate was handed a message of a type that it does not declare.</summary>
public sealed class UnknownMessageTypeException : Exception
{
    internal UnknownMessageTypeException(string aggregate, string kind, Type type, IEnumerable<Type> known)
        : base($"The aggregate '{aggregate}' declares no {kind} {type.FullName}; it "
            + $"knows {string.Join(", ", known.Select(t => t.Name).Order(StringComparer.Ordinal))}.") =>
        MessageType = type;

    internal UnknownMessageTypeException(Type type, string message)
        : base(message) => MessageType = type;

    /// <summary>The type that is not declared.</summary>
    public Type MessageType { get; }
}
