using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace KafkaEventSourcing;

/// <summary>
/// Where a write landed: the event partition and the offset of its last event. A read that carries the token never sees an
/// older state. <c>default</c> is rejected.
/// </summary>
public readonly struct ConsistencyToken : IEquatable<ConsistencyToken>
{
    private readonly int _partitionPlusOne;

    /// <summary>Creates the token of the event at <paramref name="offset"/> of <paramref name="partition"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Either is negative.</exception>
    public ConsistencyToken(int partition, long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(partition);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        _partitionPlusOne = partition + 1;
        Offset = offset;
    }

    /// <summary>The event partition.</summary>
    /// <exception cref="InvalidOperationException">The value is <c>default</c>.</exception>
    public int Partition => IsDefault
        ? throw new InvalidOperationException("This ConsistencyToken is default: no position was given.")
        : _partitionPlusOne - 1;

    /// <summary>The offset of the last event that the read must include.</summary>
    public long Offset { get; }

    /// <summary>Whether this is <c>default</c>.</summary>
    public bool IsDefault => _partitionPlusOne == 0;

    /// <summary>Reads the text form, <c>partition@offset</c>, for example <c>3@1042</c>.</summary>
    /// <exception cref="InvalidInputException">It is not of that form.</exception>
    public static ConsistencyToken Parse(string text) =>
        TryParse(text, out ConsistencyToken token)
            ? token
            : throw new InvalidInputException("token",
                $"The consistency token '{text}' is not of the form partition@offset, such as 3@1042.");

    /// <summary>Reads the text form, <c>partition@offset</c>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ConsistencyToken token)
    {
        token = default;
        int at = text?.IndexOf('@', StringComparison.Ordinal) ?? -1;
        if (at < 0
            || !int.TryParse(text.AsSpan(0, at), NumberStyles.None, CultureInfo.InvariantCulture, out int partition)
            || partition == int.MaxValue
            || !long.TryParse(text.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long offset))
        {
            return false;
        }

        token = new ConsistencyToken(partition, offset);
        return true;
    }

    /// <inheritdoc/>
    public bool Equals(ConsistencyToken other) => _partitionPlusOne == other._partitionPlusOne && Offset == other.Offset;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ConsistencyToken other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_partitionPlusOne, Offset);

    /// <summary>The text form, which <see cref="Parse"/> reads; empty for <c>default</c>.</summary>
    public override string ToString() => IsDefault ? "" : string.Create(CultureInfo.InvariantCulture, $"{Partition}@{Offset}");

    /// <summary>Whether both name the same position.</summary>
    public static bool operator ==(ConsistencyToken left, ConsistencyToken right) => left.Equals(right);

    /// <summary>Whether the two positions differ.</summary>
    public static bool operator !=(ConsistencyToken left, ConsistencyToken right) => !left.Equals(right);
}
