using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using System.Text.Json.Serialization;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// A decimal number of any length: Avro's <c>decimal</c> where it has more than the 28 digits that a <see cref="decimal"/> always holds.
/// Compared as the number that it is: 1.5 and 1.50 are equal.
/// </summary>
[JsonConverter(typeof(AvroDecimalJsonConverter))]
public readonly struct AvroDecimal : IEquatable<AvroDecimal>, IComparable<AvroDecimal>, IComparable, IParsable<AvroDecimal>
{
    /// <summary>How many digits a number may have, before and behind the point.</summary>
    public const int MaxDigits = 10_000;

    /// <summary>The number <paramref name="unscaled"/> divided by ten to the power of <paramref name="scale"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The scale is below 0 or above <see cref="MaxDigits"/>.</exception>
    public AvroDecimal(BigInteger unscaled, int scale)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(scale);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(scale, MaxDigits);
        (Unscaled, Scale) = (unscaled, scale);
    }

    /// <summary>The number without its point.</summary>
    public BigInteger Unscaled { get; }

    /// <summary>How many digits are behind the point.</summary>
    public int Scale { get; }

    /// <summary>Whether the two are the same number.</summary>
    public static bool operator ==(AvroDecimal left, AvroDecimal right) => left.Equals(right);

    /// <summary>Whether the two are different numbers.</summary>
    public static bool operator !=(AvroDecimal left, AvroDecimal right) => !left.Equals(right);

    /// <summary>Whether the left is less.</summary>
    public static bool operator <(AvroDecimal left, AvroDecimal right) => left.CompareTo(right) < 0;

    /// <summary>Whether the left is less or equal.</summary>
    public static bool operator <=(AvroDecimal left, AvroDecimal right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the left is greater.</summary>
    public static bool operator >(AvroDecimal left, AvroDecimal right) => left.CompareTo(right) > 0;

    /// <summary>Whether the left is greater or equal.</summary>
    public static bool operator >=(AvroDecimal left, AvroDecimal right) => left.CompareTo(right) >= 0;

    /// <summary>The same number with the same digits.</summary>
    public static implicit operator AvroDecimal(decimal value) => FromDecimal(value);

    /// <summary>The same number.</summary>
    /// <exception cref="OverflowException">It has more digits than a <see cref="decimal"/> holds.</exception>
    public static explicit operator decimal(AvroDecimal value) => value.ToDecimal();

    /// <summary>The same number with the same digits.</summary>
    public static AvroDecimal FromDecimal(decimal value)
    {
        Span<int> bits = stackalloc int[4];
        decimal.GetBits(value, bits);
        BigInteger unscaled = ((BigInteger)(uint)bits[2] << 64) | ((BigInteger)(uint)bits[1] << 32) | (uint)bits[0];
        return new AvroDecimal(bits[3] < 0 ? -unscaled : unscaled, (bits[3] >> 16) & 0xff);
    }

    /// <summary>The same number.</summary>
    /// <exception cref="OverflowException">It has more digits than a <see cref="decimal"/> holds.</exception>
    public decimal ToDecimal() => TryToDecimal(out decimal value)
        ? value
        : throw new OverflowException($"{this} has more digits than a decimal holds.");

    /// <summary>The same number; false when it has more digits than a <see cref="decimal"/> holds.</summary>
    public bool TryToDecimal(out decimal value)
    {
        const int MaxScale = 28;
        value = 0;
        AvroDecimal shorter = this;
        if (Scale > MaxScale || !IsIn96Bits(Unscaled))
            shorter = Shortened();
        if (shorter.Scale > MaxScale || !IsIn96Bits(shorter.Unscaled))
            return false;
        var digits = BigInteger.Abs(shorter.Unscaled);
        value = new decimal((int)(uint)(digits & uint.MaxValue), (int)(uint)((digits >> 32) & uint.MaxValue),
            (int)(uint)(digits >> 64), Unscaled.Sign < 0, (byte)shorter.Scale);
        return true;
    }

    /// <summary>
    /// The number with <paramref name="scale"/> digits behind the point, as its schema has them; as it is when some of them would be lost.
    /// Used by generated code.
    /// </summary>
    public static AvroDecimal WithScale(AvroDecimal value, int scale) => value.TryScale(scale, out AvroDecimal scaled) ? scaled : value;

    /// <inheritdoc cref="WithScale(AvroDecimal, int)"/>
    public static decimal WithScale(decimal value, int scale) =>
        value.Scale != scale && DecimalEncoding.TryUnscale(value, scale, out Int128 unscaled)
            ? DecimalEncoding.ToDecimal(unscaled, scale)
            : value;

    /// <summary>Reads digits, with a sign, a point and an exponent where there are some, as JSON writes numbers.</summary>
    /// <exception cref="FormatException">It is not such a number, or has more than <see cref="MaxDigits"/> digits.</exception>
    public static AvroDecimal Parse(string s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out AvroDecimal value) ? value : throw new FormatException($"'{s}' is not a decimal number.");

    /// <inheritdoc cref="Parse"/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out AvroDecimal result)
    {
        result = default;
        if (string.IsNullOrEmpty(s) || s.Length > 2 * MaxDigits)
            return false;
        int exponent = 0;
        int mark = s.AsSpan().IndexOfAny('e', 'E');
        if (mark >= 0
            && (!int.TryParse(s.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent)
                || exponent is < -MaxDigits or > MaxDigits))
            return false;
        string mantissa = mark < 0 ? s : s[..mark];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        string digits = point < 0 ? mantissa : mantissa.Remove(point, 1);
        int behind = point < 0 ? 0 : mantissa.Length - point - 1;
        if (point == mantissa.Length - 1
            || (point >= 0 && (point == 0 || !char.IsAsciiDigit(mantissa[point - 1])))
            || !BigInteger.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger unscaled))
            return false;
        int scale = behind - exponent;
        if (scale > MaxDigits || digits.Length - Math.Min(scale, 0) > MaxDigits + 1)
            return false;
        result = scale >= 0 ? new AvroDecimal(unscaled, scale) : new AvroDecimal(unscaled * BigInteger.Pow(10, -scale), 0);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(AvroDecimal other) => Scale == other.Scale ? Unscaled.CompareTo(other.Unscaled)
        : Scale < other.Scale ? (Unscaled * BigInteger.Pow(10, other.Scale - Scale)).CompareTo(other.Unscaled)
        : Unscaled.CompareTo(other.Unscaled * BigInteger.Pow(10, Scale - other.Scale));

    /// <inheritdoc/>
    public int CompareTo(object? obj) => obj switch
    {
        null => 1,
        AvroDecimal other => CompareTo(other),
        _ => throw new ArgumentException($"It is not an {nameof(AvroDecimal)}.", nameof(obj)),
    };

    /// <inheritdoc/>
    public bool Equals(AvroDecimal other) => CompareTo(other) == 0;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is AvroDecimal other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        AvroDecimal shorter = Shortened();
        return HashCode.Combine(shorter.Unscaled, shorter.Scale);
    }

    /// <summary>All digits, with a point before the last <see cref="Scale"/> ones, whatever the culture.</summary>
    public override string ToString()
    {
        string digits = BigInteger.Abs(Unscaled).ToString(CultureInfo.InvariantCulture).PadLeft(Scale + 1, '0');
        string sign = Unscaled.Sign < 0 ? "-" : "";
        return Scale == 0 ? sign + digits : $"{sign}{digits[..^Scale]}.{digits[^Scale..]}";
    }

    /// <summary>The number with another scale; false when digits would be lost.</summary>
    internal bool TryScale(int scale, out AvroDecimal scaled)
    {
        scaled = this;
        if (scale >= Scale)
        {
            scaled = scale == Scale ? this : new AvroDecimal(Unscaled * BigInteger.Pow(10, scale - Scale), scale);
            return true;
        }

        var quotient = BigInteger.DivRem(Unscaled, BigInteger.Pow(10, Scale - scale), out BigInteger rest);
        if (!rest.IsZero)
            return false;
        scaled = new AvroDecimal(quotient, scale);
        return true;
    }

    private static bool IsIn96Bits(BigInteger number) => BigInteger.Abs(number) >> 96 == 0;

    // Without zeros at the end of what is behind the point.
    private AvroDecimal Shortened()
    {
        (BigInteger unscaled, int scale) = (Unscaled, Scale);
        while (scale > 0)
        {
            var quotient = BigInteger.DivRem(unscaled, 10, out BigInteger rest);
            if (!rest.IsZero)
                break;
            (unscaled, scale) = (quotient, scale - 1);
        }

        return new AvroDecimal(unscaled, scale);
    }
}
