using System.Numerics;
using System.Text;
using static KafkaEventSourcing.Avro.Tests.Evolution.Shape;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>Values of a schema, and their bytes.</summary>
internal static class ShapeValues
{
    private const int MostNested = 3;

    /// <summary>Values of which each branch of each union and each symbol of each enum is in one.</summary>
    public static List<object?> Covering(Shape shape, Random random) => Covering(shape, random, 0);

    public static byte[] Encode(Shape shape, object? value, Random random)
    {
        var bytes = new List<byte>();
        Encode(shape, value, random, bytes);
        return [.. bytes];
    }

    private static List<object?> Covering(Shape shape, Random random, int nested)
    {
        switch (shape)
        {
            case Plain { Logical: { Name: "decimal" } digits }:
                return [.. Numbers(digits, random).Select(n => (object?)n.ToByteArray(isBigEndian: true))];
            case Plain { Logical.Name: "uuid" }:
                return [Guid(random)];
            case Plain { Type: "string" } text:
                return [Plainly(text, random), Guid(random)];
            case Plain { Logical: not null, Type: "long" or "int" } time:
                return [.. Times(time, random)];
            case Plain plain:
                return [Plainly(plain, random)];
            case Raw raw:
                if (raw.Logical is { Name: "decimal" } number)
                    return [.. Numbers(number, random).Select(n => (object?)Sized(n, raw.Size))];
                byte[] bytes = new byte[raw.Size];
                random.NextBytes(bytes);
                return [bytes];
            case Symbols symbols:
                return [.. Enumerable.Range(0, symbols.All.Count).Select(i => (object?)i)];
            case Many many:
                List<object?> items = Covering(many.Items, random, nested);
                return [.. items.Select(item => new List<object?> { item, items[0] }), new List<object?>()];
            case Keyed keyed:
                return [.. Covering(keyed.Values, random, nested).Select(item => new Dictionary<string, object?> { ["kä"] = item }),
                    new Dictionary<string, object?>()];
            case Either either:
                return [.. either.Branches.SelectMany((branch, i) =>
                    Covering(branch, random, nested).Select(inner => (object?)(i, inner)))];
            default:
                var group = (Group)shape;
                List<object?>[] fields = [.. group.Fields.Select(f =>
                    f.IsSelf ? Itself(group, random, nested) : Covering(f.Shape, random, nested))];
                return [.. Enumerable.Range(0, fields.Select(f => f.Count).DefaultIfEmpty(1).Max()).Select(i =>
                    (object?)fields.Select(f => f[i % f.Count]).ToArray())];
        }
    }

    private static List<object?> Itself(Shape.Group group, Random random, int nested)
    {
        var values = new List<object?> { (0, (object?)null) };
        if (nested < MostNested)
            values.AddRange(Covering(group, random, nested + 1).Take(2).Select(inner => (object?)(1, inner)));
        return values;
    }

    private static object? Plainly(Plain plain, Random random) => plain.Type switch
    {
        "null" => null,
        "boolean" => random.Next(2) == 1,
        "int" => random.Next(3) switch { 0 => random.Next(-100, 100), 1 => int.MinValue, _ => random.Next() },
        "long" => random.Next(3) switch { 0 => random.Next(-100, 100), 1 => random.NextInt64(), _ =>
            random.NextInt64(2_000_000_000_000_000) },
        "float" => random.NextSingle() * 1e10f,
        "double" => random.NextDouble() * 1e300,
        "string" => random.Next(3) switch { 0 => "", 1 => "2024-01-01T00:00:00Z", _ => $"ä𝄞{random.Next()}" },
        _ => random.Next(3) switch { 0 => Encoding.UTF8.GetBytes($"ö{random.Next()}"), 1 => [], _ => [0xff, (byte)random.Next(256)] },
    };

    private static IEnumerable<object?> Times(Plain time, Random random) => (time.Type, time.Logical!.Name) switch
    {
        ("int", "time-millis") => [random.Next(86_400_000), 86_399_999],
        ("int", _) => [random.Next(-700_000, 2_900_000)],
        (_, "time-micros") => [random.NextInt64(86_400_000_000), 86_399_999_999],
        (_, "timestamp-nanos" or "local-timestamp-nanos") => [random.NextInt64(), -random.NextInt64(), -1L, 199L, long.MinValue],
        _ => [random.NextInt64(-50_000_000_000_000, 200_000_000_000_000)],
    };

    private static string Guid(Random random)
    {
        byte[] bytes = new byte[16];
        random.NextBytes(bytes);
        return new Guid(bytes).ToString();
    }

    private static IEnumerable<BigInteger> Numbers(Shape.Meaning decimals, Random random)
    {
        BigInteger end = BigInteger.Pow(10, decimals.Precision);
        byte[] bytes = new byte[20];
        random.NextBytes(bytes);
        return [new BigInteger(bytes) % end, end - 1, 1 - end, 0];
    }

    private static byte[] Sized(BigInteger number, int size)
    {
        byte[] bytes = number.ToByteArray(isBigEndian: true);
        return [.. Enumerable.Repeat(number.Sign < 0 ? (byte)0xff : (byte)0, size - bytes.Length), .. bytes];
    }

    private static void Encode(Shape shape, object? value, Random random, List<byte> bytes)
    {
        switch (shape)
        {
            case Plain:
                EncodePlain(value, bytes);
                break;
            case Raw:
                bytes.AddRange((byte[])value!);
                break;
            case Symbols:
                Number((int)value!, bytes);
                break;
            case Many many:
                Blocks([.. (List<object?>)value!], random, bytes, (item, to) => Encode(many.Items, item, random, to));
                break;
            case Keyed keyed:
                Blocks([.. ((Dictionary<string, object?>)value!).Select(p => (object?)p)], random, bytes, (entry, to) =>
                {
                    (string key, object? item) = (KeyValuePair<string, object?>)entry!;
                    EncodePlain(key, to);
                    Encode(keyed.Values, item, random, to);
                });
                break;
            case Either either:
                (int branch, object? inner) = ((int, object?))value!;
                Number(branch, bytes);
                Encode(either.Branches[branch], inner, random, bytes);
                break;
            case Group group:
                for (int i = 0; i < group.Fields.Count; i++)
                    Encode(Oracle.ShapeOf(group, group.Fields[i]), ((object?[])value!)[i], random, bytes);
                break;
        }
    }

    // In one block or in several, with and without their sizes.
    private static void Blocks(object?[] items, Random random, List<byte> bytes, Action<object?, List<byte>> encode)
    {
        for (int at = 0; at < items.Length;)
        {
            int count = random.Next(1, items.Length - at + 1);
            var block = new List<byte>();
            foreach (object? item in items.Skip(at).Take(count))
                encode(item, block);
            bool isSized = random.Next(2) == 0;
            Number(isSized ? -count : count, bytes);
            if (isSized)
                Number(block.Count, bytes);
            bytes.AddRange(block);
            at += count;
        }

        bytes.Add(0);
    }

    private static void EncodePlain(object? value, List<byte> bytes)
    {
        switch (value)
        {
            case bool flag:
                bytes.Add(flag ? (byte)1 : (byte)0);
                break;
            case int number:
                Number(number, bytes);
                break;
            case long number:
                Number(number, bytes);
                break;
            case float number:
                bytes.AddRange(BitConverter.GetBytes(number));
                break;
            case double number:
                bytes.AddRange(BitConverter.GetBytes(number));
                break;
            case string text:
                EncodePlain(Encoding.UTF8.GetBytes(text), bytes);
                break;
            case byte[] raw:
                Number(raw.Length, bytes);
                bytes.AddRange(raw);
                break;
        }
    }

    private static void Number(long value, List<byte> bytes)
    {
        ulong bits = (ulong)((value << 1) ^ (value >> 63));
        for (; bits > 127; bits >>= 7)
            bytes.Add((byte)(bits | 128));
        bytes.Add((byte)bits);
    }
}
