using System.Numerics;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro.Tests.Fuzz;

/// <summary>Values of a schema in the one encoding that generated code writes.</summary>
internal static class RandomValue
{
    private const int MostNested = 6;

    /// <summary>Whether it has values: a record that is in itself without a union between has none.</summary>
    public static bool HasValues(AvroSchema schema) => HasValues(schema, []);

    public static void Write(ref AvroWriter writer, AvroSchema schema, Random random, int depth = 0)
    {
        switch (schema)
        {
            case RecordSchema record:
                foreach (SchemaField field in record.Fields)
                    Write(ref writer, field.Schema, random, depth + 1);
                break;
            case UnionSchema union:
                int[] branches = [.. Enumerable.Range(0, union.Branches.Count).Where(i => HasValues(union.Branches[i]))];
                int shallow = Array.FindIndex(branches, i => union.Branches[i] is PrimitiveSchema or EnumSchema or FixedSchema);
                int branch = depth > MostNested && shallow >= 0 ? branches[shallow] : branches[random.Next(branches.Length)];
                writer.WriteInt(branch);
                Write(ref writer, union.Branches[branch], random, depth + 1);
                break;
            case ArraySchema array:
                int count = HasValues(array.Items) && depth <= MostNested ? random.Next(3) : 0;
                if (count > 0)
                    writer.WriteLong(count);
                for (int i = 0; i < count; i++)
                    Write(ref writer, array.Items, random, depth + 1);
                writer.WriteLong(0);
                break;
            case MapSchema map:
                int entries = HasValues(map.Values) && depth <= MostNested ? random.Next(3) : 0;
                if (entries > 0)
                    writer.WriteLong(entries);
                for (int i = 0; i < entries; i++)
                {
                    writer.WriteString($"k{i}");
                    Write(ref writer, map.Values, random, depth + 1);
                }

                writer.WriteLong(0);
                break;
            case EnumSchema symbols:
                writer.WriteInt(random.Next(symbols.Symbols.Count));
                break;
            case FixedSchema { Logical: { Kind: LogicalKind.Decimal } number } bytes:
                byte[] digits = Number(number, random);
                byte sign = (sbyte)digits[0] < 0 ? (byte)255 : (byte)0;
                writer.WriteFixed(Enumerable.Repeat(sign, bytes.Size - digits.Length).Concat(digits).ToArray());
                break;
            case FixedSchema bytes:
                byte[] raw = new byte[bytes.Size];
                random.NextBytes(raw);
                writer.WriteFixed(raw);
                break;
            default:
                WritePrimitive(ref writer, schema, random);
                break;
        }
    }

    private static void WritePrimitive(ref AvroWriter writer, AvroSchema schema, Random random)
    {
        switch (schema.Kind, schema.Logical?.Kind)
        {
            case (SchemaKind.Boolean, _):
                writer.WriteBoolean(random.Next(2) == 0);
                break;
            case (SchemaKind.Int, LogicalKind.Date):
                writer.WriteInt(random.Next(-719_162, 2_932_897));
                break;
            case (SchemaKind.Int, LogicalKind.TimeMillis):
                writer.WriteInt(random.Next(86_400_000));
                break;
            case (SchemaKind.Int, _):
                writer.WriteInt(random.Next(int.MinValue, int.MaxValue));
                break;
            case (SchemaKind.Long, LogicalKind.TimeMicros):
                writer.WriteLong(random.NextInt64(86_400_000_000));
                break;
            case (SchemaKind.Long, LogicalKind.TimestampNanos or LogicalKind.LocalTimestampNanos):
                writer.WriteLong(random.NextInt64(-90_000_000_000_000_000, 90_000_000_000_000_000) * 100);
                break;
            case (SchemaKind.Long, not null):
                writer.WriteLong(random.NextInt64(-62_135_596_800_000, 253_402_300_800_000));
                break;
            case (SchemaKind.Long, _):
                writer.WriteLong(random.NextInt64(long.MinValue, long.MaxValue));
                break;
            case (SchemaKind.Float, _):
                writer.WriteFloat(random.NextSingle() * 1e30f);
                break;
            case (SchemaKind.Double, _):
                writer.WriteDouble(random.NextDouble() * 1e300);
                break;
            case (SchemaKind.String, LogicalKind.Uuid):
                writer.WriteUuid(Guid.CreateVersion7());
                break;
            case (SchemaKind.String, _):
                writer.WriteString(random.Next(2) == 0 ? "" : $"ä{random.Next()}𝄞\u2028");
                break;
            case (SchemaKind.Bytes, LogicalKind.Decimal):
                writer.WriteBytes(Number(schema.Logical!.Value, random));
                break;
            case (SchemaKind.Bytes, _):
                byte[] bytes = new byte[random.Next(4)];
                random.NextBytes(bytes);
                writer.WriteBytes(bytes.AsSpan());
                break;
        }
    }

    private static byte[] Number(LogicalType number, Random random)
    {
        byte[] bytes = new byte[random.Next(1, 25)];
        random.NextBytes(bytes);
        return (new BigInteger(bytes) % BigInteger.Pow(10, number.Precision)).ToByteArray(isBigEndian: true);
    }

    private static bool HasValues(AvroSchema schema, HashSet<RecordSchema> open) => schema switch
    {
        RecordSchema record when open.Contains(record) => false,
        RecordSchema record => record.Fields.All(f => HasValues(f.Schema, [.. open, record])),
        UnionSchema union => union.Branches.Any(b => HasValues(b, open)),
        _ => true,
    };
}
