namespace KafkaEventSourcing;

/// <summary>Input that cannot be taken as it is. Nothing was stored; sending the same again gives the same answer.</summary>
public sealed class InvalidInputException : Exception
{
    /// <summary>Creates the error for <paramref name="field"/>, the name that the sender knows the value by.</summary>
    public InvalidInputException(string field, string message) : base(message) => Field = field;

    /// <summary>Creates the error for <paramref name="field"/>, with its cause.</summary>
    public InvalidInputException(string field, string message, Exception inner) : base(message, inner) => Field = field;

    /// <summary>The field, header or flag that is wrong.</summary>
    public string Field { get; }
}
