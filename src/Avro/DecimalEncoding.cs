using System.Buffers.Binary;
using System.Numerics;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Avro's decimals (Avro specification 1.12, "Decimal"): the number without its point, in two's complement, big-endian.
/// </summary>
internal static class DecimalEncoding
{
    /// <summary>How many digits a <see cref="decimal"/> holds, whatever they are.</summary>
    public const int MaxDigits = 28;

    private const int MaxBytes = 13; // of 28 digits, with the sign

    private static readonly Int128[] Powers = MakePowers();
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<int, BigInteger> LongPowers = [];

    /// <summary>
    /// The number without the point that <paramref name="scale"/> puts; false when digits would be lost, or are too many.
    /// </summary>
    public static bool TryUnscale(decimal value, int scale, out Int128 unscaled)
    {
        Span<int> bits = stackalloc int[4];
        decimal.GetBits(value, bits);
        var number = new UInt128((uint)bits[2], ((ulong)(uint)bits[1] << 32) | (uint)bits[0]);
        int has = (bits[3] >> 16) & 0xff;
        unscaled = 0;
        for (; has > scale; has--)
        {
            (number, UInt128 rest) = UInt128.DivRem(number, 10);
            if (rest != 0)
                return false;
        }

        for (; has < scale && number != 0; has++)
        {
            if (number >= (UInt128)Powers[MaxDigits])
                return false;
            number *= 10;
        }

        unscaled = bits[3] < 0 ? -(Int128)number : (Int128)number;
        return true;
    }

    /// <summary>The number with its point; it has at most 96 bits.</summary>
    public static decimal ToDecimal(Int128 unscaled, int scale)
    {
        var digits = (UInt128)Int128.Abs(unscaled);
        return new decimal((int)(uint)digits, (int)(uint)(digits >> 32), (int)(uint)(digits >> 64), unscaled < 0, (byte)scale);
    }

    /// <summary>Reads a number of at most <paramref name="precision"/> digits; <paramref name="at"/> is where its bytes begin.</summary>
    /// <exception cref="AvroDecodeException">It has more digits, or no bytes.</exception>
    public static decimal Read(ReadOnlySpan<byte> bytes, int precision, int scale, int at)
    {
        if (bytes.IsEmpty)
            throw new AvroDecodeException(at, "A decimal has no bytes.");
        Int128 number = (sbyte)bytes[0] < 0 ? -1 : 0;
        int sign = 0;
        while (sign < bytes.Length - 1 && bytes[sign] == (byte)number)
            sign++;
        ReadOnlySpan<byte> digits = bytes[sign..];
        if (digits.Length > MaxBytes)
            throw TooLong(at, precision);
        foreach (byte part in digits)
            number = (number << 8) | part;
        return Int128.Abs(number) < Powers[precision] ? ToDecimal(number, scale) : throw TooLong(at, precision);
    }

    /// <inheritdoc cref="Read"/>
    public static AvroDecimal ReadLong(ReadOnlySpan<byte> bytes, int precision, int scale, int at)
    {
        if (bytes.IsEmpty)
            throw new AvroDecodeException(at, "A decimal has no bytes.");
        var number = new BigInteger(bytes, isUnsigned: false, isBigEndian: true);
        return BigInteger.Abs(number) < Power(precision) ? new AvroDecimal(number, scale) : throw TooLong(at, precision);
    }

    /// <summary>Writes the number into the end of <paramref name="buffer"/> and returns its bytes, as few as it needs.</summary>
    /// <exception cref="AvroEncodeException">The schema's precision or scale has no room for it: it is not rounded.</exception>
    public static ReadOnlySpan<byte> Write(decimal value, int precision, int scale, string field, Span<byte> buffer)
    {
        if (!TryUnscale(value, scale, out Int128 number) || Int128.Abs(number) >= Powers[precision])
            throw NoRoom(value, precision, scale, field);
        BinaryPrimitives.WriteInt128BigEndian(buffer, number);
        byte sign = number < 0 ? (byte)0xff : (byte)0;
        int start = 0;
        while (start < buffer.Length - 1 && buffer[start] == sign && (buffer[start + 1] & 0x80) == (sign & 0x80))
            start++;
        return buffer[start..];
    }

    /// <summary>The number's bytes, as few as it needs.</summary>
    /// <exception cref="AvroEncodeException">The schema's precision or scale has no room for it: it is not rounded.</exception>
    public static byte[] Write(AvroDecimal value, int precision, int scale, string field) =>
        value.TryScale(scale, out AvroDecimal scaled) && BigInteger.Abs(scaled.Unscaled) < Power(precision)
            ? scaled.Unscaled.ToByteArray(isUnsigned: false, isBigEndian: true)
            : throw NoRoom(value, precision, scale, field);

    private static AvroEncodeException NoRoom(AvroDecimal value, int precision, int scale, string field) => new(field,
        $"The number {value} does not fit a decimal of {precision} digits, {scale} of them behind the point; it is not rounded.");

    private static AvroDecodeException TooLong(int at, int precision) =>
        new(at, $"A decimal has more than the {precision} digits of its schema.");

    private static BigInteger Power(int digits) => LongPowers.GetOrAdd(digits, static d => BigInteger.Pow(10, d));

    private static Int128[] MakePowers()
    {
        var powers = new Int128[MaxDigits + 1];
        powers[0] = 1;
        for (int i = 1; i < powers.Length; i++)
            powers[i] = powers[i - 1] * 10;
        return powers;
    }
}
