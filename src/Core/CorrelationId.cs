namespace KafkaEventSourcing;

/// <summary>The rules of a correlation id, which travels through every event and command that follows from one.</summary>
public static class CorrelationId
{
    /// <summary>The longest one, in bytes of UTF-8.</summary>
    public const int MaxBytes = 256;

    /// <summary>Takes <paramref name="text"/> as a correlation id.</summary>
    /// <exception cref="InvalidInputException">It is empty, longer than <see cref="MaxBytes"/>, or has control characters or lone
    /// surrogates.</exception>
    public static string Parse(string text) =>
        IdentifierRules.Check(text, "correlation id", MaxBytes) is { } error
            ? throw new InvalidInputException("correlationId", error)
            : text;
}
