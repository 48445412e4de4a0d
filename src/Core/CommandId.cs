using System.Diagnostics.CodeAnalysis;

namespace KafkaEventSourcing;

/// <summary>
/// The identity of one command: a command that is sent again with the same id takes effect once. One to 128 bytes of UTF-8
/// without control characters and lone surrogates. <c>default</c> holds no id and is rejected wherever an id is used.
/// </summary>
public readonly struct CommandId : IEquatable<CommandId>, IParsable<CommandId>
{
    /// <summary>The longest id, in bytes of UTF-8.</summary>
    public const int MaxBytes = 128;

    private readonly string? _value;

    private CommandId(string value) => _value = value;

    /// <summary>The id as text.</summary>
    /// <exception cref="InvalidOperationException">The value is <c>default</c>.</exception>
    public string Value => _value ?? throw new InvalidOperationException("This CommandId is default: no id was given.");

    /// <summary>Whether this is <c>default</c>, which names no command.</summary>
    public bool IsDefault => _value is null;

    /// <summary>Takes <paramref name="text"/> as an id.</summary>
    /// <exception cref="InvalidInputException">It is empty, longer than <see cref="MaxBytes"/>, or has control characters or lone
    /// surrogates.</exception>
    public static CommandId Parse(string text) =>
        TryParse(text, out CommandId id, out string? error) ? id : throw new InvalidInputException("commandId", error);

    /// <summary>Takes <paramref name="text"/> as an id, or says why it is none.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out CommandId id, [NotNullWhen(false)] out string? error)
    {
        error = IdentifierRules.Check(text, "command id", MaxBytes);
        id = error is null ? new CommandId(text!) : default;
        return error is null;
    }

    /// <summary>A new time-ordered id (UUID version 7, RFC 9562).</summary>
    public static CommandId New(TimeProvider timeProvider) => new(Guid.CreateVersion7(timeProvider.GetUtcNow()).ToString());

    /// <summary>Takes <paramref name="s"/> as an id; the provider says nothing. It is what web frameworks bind by.</summary>
    /// <exception cref="InvalidInputException">It is not one.</exception>
    public static CommandId Parse(string s, IFormatProvider? provider) => Parse(s);

    /// <summary>Takes <paramref name="s"/> as an id; the provider says nothing. It is what web frameworks bind by.</summary>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out CommandId result) =>
        TryParse(s, out result, out _);

    /// <inheritdoc/>
    public bool Equals(CommandId other) => string.Equals(_value, other._value, StringComparison.Ordinal);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is CommandId other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _value is null ? 0 : string.GetHashCode(_value, StringComparison.Ordinal);

    /// <summary>The id, or an empty text for <c>default</c>.</summary>
    public override string ToString() => _value ?? "";

    /// <summary>Whether both are the same id, by ordinal comparison.</summary>
    public static bool operator ==(CommandId left, CommandId right) => left.Equals(right);

    /// <summary>Whether the two ids differ.</summary>
    public static bool operator !=(CommandId left, CommandId right) => !left.Equals(right);
}
