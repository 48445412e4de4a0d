using System.Buffers;
using Avro;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// An encoded value with the entries of its maps in the order of their keys: Avro gives them none, and a caller who sends a command again
/// may send them in another.
/// </summary>
internal static class SortedMaps
{
    /// <summary>Whether values of <paramref name="schema"/> can have maps.</summary>
    public static bool AreIn(Schema schema) => AreIn(schema, []);

    /// <summary>The value of <paramref name="schema"/> in <paramref name="value"/>, which is well formed, with its maps sorted.</summary>
    public static byte[] Write(Schema schema, ReadOnlySpan<byte> value)
    {
        var output = new ArrayBufferWriter<byte>(Math.Max(1, value.Length));
        var reader = new AvroReader(value);
        Copy(schema, value, ref reader, output);
        return output.WrittenSpan.ToArray();
    }

    private static bool AreIn(Schema schema, HashSet<string> seen) => schema switch
    {
        MapSchema => true,
        ArraySchema array => AreIn(array.ItemSchema, seen),
        UnionSchema union => union.Schemas.Any(s => AreIn(s, seen)),
        LogicalSchema logical => AreIn(logical.BaseSchema, seen),
        RecordSchema record => seen.Add(record.Fullname) && record.Fields.Any(f => AreIn(f.Schema, seen)),
        _ => false,
    };

    private static void Copy(Schema schema, ReadOnlySpan<byte> value, ref AvroReader reader, ArrayBufferWriter<byte> output)
    {
        int start = reader.Position;
        switch (schema)
        {
            case RecordSchema record:
                foreach (Field field in record.Fields)
                    Copy(field.Schema, value, ref reader, output);
                return;
            case UnionSchema union:
                int branch = reader.ReadIndex(union.Count);
                output.Write(value[start..reader.Position]);
                Copy(union[branch], value, ref reader, output);
                return;
            case LogicalSchema logical:
                Copy(logical.BaseSchema, value, ref reader, output);
                return;
            case ArraySchema array:
                CopyItems(array.ItemSchema, value, ref reader, output);
                return;
            case MapSchema map:
                CopyEntries(map.ValueSchema, value, ref reader, output);
                return;
            case EnumSchema symbols:
                reader.ReadIndex(symbols.Count);
                break;
            case FixedSchema bytes:
                reader.ReadFixed(bytes.Size);
                break;
            default:
                Skip(schema.Tag, ref reader);
                break;
        }

        output.Write(value[start..reader.Position]);
    }

    private static void Skip(Schema.Type type, ref AvroReader reader)
    {
        switch (type)
        {
            case Schema.Type.Boolean:
                reader.ReadBoolean();
                break;
            case Schema.Type.Int or Schema.Type.Long:
                reader.ReadLong();
                break;
            case Schema.Type.Float:
                reader.ReadFixed(sizeof(float));
                break;
            case Schema.Type.Double:
                reader.ReadFixed(sizeof(double));
                break;
            case Schema.Type.Bytes or Schema.Type.String:
                reader.ReadSpan();
                break;
        }
    }

    // As generated types write them: one block without a size, if there are any.
    private static void CopyItems(Schema item, ReadOnlySpan<byte> value, ref AvroReader reader, ArrayBufferWriter<byte> output)
    {
        while (true)
        {
            int start = reader.Position;
            int count = reader.ReadBlockCount();
            output.Write(value[start..reader.Position]);
            if (count == 0)
                return;
            for (; count > 0; count--)
                Copy(item, value, ref reader, output);
        }
    }

    private static void CopyEntries(Schema item, ReadOnlySpan<byte> value, ref AvroReader reader, ArrayBufferWriter<byte> output)
    {
        var entries = new List<(byte[] Key, byte[] Value)>();
        for (int count = reader.ReadBlockCount(); count != 0; count = reader.ReadBlockCount())
        {
            for (; count > 0; count--)
            {
                byte[] key = reader.ReadSpan().ToArray();
                var entry = new ArrayBufferWriter<byte>();
                Copy(item, value, ref reader, entry);
                entries.Add((key, entry.WrittenSpan.ToArray()));
            }
        }

        entries.Sort((x, y) => x.Key.AsSpan().SequenceCompareTo(y.Key));
        var writer = new AvroWriter(output);
        writer.WriteLong(entries.Count);
        foreach ((byte[] key, byte[] content) in entries)
        {
            writer.WriteBytes(key);
            writer.WriteFixed(content);
        }

        writer.Flush();
    }
}
