using System.Globalization;

namespace KafkaEventSourcing;

/// <summary>
/// What the sender believes of the aggregate's version. It is checked against all committed events and all events decided
/// earlier in the same batch. <c>default</c> says nothing and is rejected; say <see cref="Any"/> where anything will do.
/// </summary>
public readonly struct ExpectedVersion : IEquatable<ExpectedVersion>
{
    private enum Kind : byte { Unspecified, Any, New, Exists, Exactly }

    private readonly Kind _kind;
    private readonly long _version;

    private ExpectedVersion(Kind kind, long version = 0) => (_kind, _version) = (kind, version);

    /// <summary>Any version will do, none included.</summary>
    public static ExpectedVersion Any { get; } = new(Kind.Any);

    /// <summary>The aggregate must have no events yet.</summary>
    public static ExpectedVersion New { get; } = new(Kind.New);

    /// <summary>The aggregate must have at least one event.</summary>
    public static ExpectedVersion Exists { get; } = new(Kind.Exists);

    /// <summary>Whether this is <c>default</c>.</summary>
    public bool IsDefault => _kind == Kind.Unspecified;

    /// <summary>Whether this is <see cref="Any"/>.</summary>
    public bool IsAny => _kind == Kind.Any;

    /// <summary>The aggregate must be at <paramref name="version"/> exactly; 0 is the same as <see cref="New"/>.</summary>
    /// <exception cref="InvalidInputException">The version is negative.</exception>
    public static ExpectedVersion Exactly(long version) => version switch
    {
        < 0 => throw new InvalidInputException("expectedVersion",
            $"The expected version is {version}; versions start at 1, and 0 means a new aggregate."),
        0 => New,
        _ => new ExpectedVersion(Kind.Exactly, version),
    };

    /// <summary>Whether an aggregate at <paramref name="currentVersion"/> (0 when it has no events) meets the expectation.</summary>
    /// <exception cref="InvalidOperationException">The value is <c>default</c>.</exception>
    public bool IsMetBy(long currentVersion) => _kind switch
    {
        Kind.Any => true,
        Kind.New => currentVersion == 0,
        Kind.Exists => currentVersion > 0,
        Kind.Exactly => currentVersion == _version,
        _ => throw new InvalidOperationException("This ExpectedVersion is default: no expectation was given."),
    };

    /// <summary>Reads the text form: <c>any</c>, <c>new</c>, <c>exists</c>, or a version number.</summary>
    /// <exception cref="InvalidInputException">It is none of these.</exception>
    public static ExpectedVersion Parse(string text) =>
        TryParse(text, out ExpectedVersion expected)
            ? expected
            : throw new InvalidInputException("expectedVersion",
                $"The expected version '{text}' is none of any, new, exists, or a whole number from 0.");

    /// <summary>Reads the text form: <c>any</c>, <c>new</c>, <c>exists</c>, or a version number.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ExpectedVersion expected)
    {
        expected = text switch
        {
            "any" => Any,
            "new" => New,
            "exists" => Exists,
            _ => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long version) ? Exactly(version) : default,
        };
        return !expected.IsDefault;
    }

    /// <inheritdoc/>
    public bool Equals(ExpectedVersion other) => _kind == other._kind && _version == other._version;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ExpectedVersion other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_kind, _version);

    /// <summary>The text form, which <see cref="Parse"/> reads.</summary>
    public override string ToString() => _kind switch
    {
        Kind.Any => "any",
        Kind.New => "new",
        Kind.Exists => "exists",
        Kind.Exactly => _version.ToString(CultureInfo.InvariantCulture),
        _ => "",
    };

    /// <summary>Whether both expect the same.</summary>
    public static bool operator ==(ExpectedVersion left, ExpectedVersion right) => left.Equals(right);

    /// <summary>Whether the two expectations differ.</summary>
    public static bool operator !=(ExpectedVersion left, ExpectedVersion right) => !left.Equals(right);
}
