using Avro;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Checks a value against the schema that it was written with, in one pass over its bytes. Apache Avro's own readers believe every count that they read: an array that announces 2^60 items of no size keeps
/// them busy for ever. What passes here can be given to them. (Avro specification 1.12, "Binary Encoding".)
/// </summary>
internal static class AvroWellFormed
{
    private const int MaxDepth = 200;

    /// <exception cref="AvroDecodeException">The bytes are not one value of <paramref name="schema"/>.</exception>
    public static void Check(Schema schema, ReadOnlySpan<byte> data)
    {
        var reader = new AvroReader(data);
        Walk(schema, ref reader, 0);
        if (reader.Remaining > 0)
            throw new AvroDecodeException(reader.Position, $"{reader.Remaining} bytes follow the value.");
    }

    private static void Walk(Schema schema, ref AvroReader reader, int depth)
    {
        if (depth > MaxDepth)
            throw new AvroDecodeException(reader.Position, $"The value is nested deeper than {MaxDepth}.");
        switch (schema)
        {
            case RecordSchema record:
                foreach (Field field in record.Fields)
                    Walk(field.Schema, ref reader, depth + 1);
                break;
            case UnionSchema union:
                Walk(union[reader.ReadIndex(union.Count)], ref reader, depth + 1);
                break;
            case ArraySchema array:
                WalkBlocks(array.ItemSchema, isMap: false, ref reader, depth + 1);
                break;
            case MapSchema map:
                WalkBlocks(map.ValueSchema, isMap: true, ref reader, depth + 1);
                break;
            case EnumSchema symbols:
                reader.ReadIndex(symbols.Count);
                break;
            case FixedSchema bytes:
                reader.ReadFixed(bytes.Size);
                break;
            case LogicalSchema logical:
                Walk(logical.BaseSchema, ref reader, depth + 1);
                break;
            default:
                WalkPrimitive(schema.Tag, ref reader);
                break;
        }
    }

    private static void WalkPrimitive(Schema.Type type, ref AvroReader reader)
    {
        switch (type)
        {
            case Schema.Type.Null:
                break;
            case Schema.Type.Boolean:
                reader.ReadBoolean();
                break;
            case Schema.Type.Int:
                reader.ReadInt();
                break;
            case Schema.Type.Long:
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
            default:
                throw new AvroDecodeException(reader.Position, $"The type {type} is not known.");
        }
    }

    private static void WalkBlocks(Schema item, bool isMap, ref AvroReader reader, int depth)
    {
        while (true)
        {
            long count = reader.ReadLong();
            if (count == 0)
                return;
            long size = count < 0 ? reader.ReadLong() : -1;
            // Not below zero also for the lowest number, which has no positive twin.
            long items = Math.Abs(Math.Max(count, -long.MaxValue));
            if (items > reader.Remaining)
                throw new AvroDecodeException(reader.Position, $"A block of {items} items is given; {reader.Remaining} bytes are left.");
            int start = reader.Position;
            for (; items > 0; items--)
            {
                if (isMap)
                    reader.ReadSpan();
                Walk(item, ref reader, depth);
            }

            if (size >= 0 && reader.Position - start != size || count < 0 && size < 0)
                throw new AvroDecodeException(reader.Position, $"A block says that it has {size} bytes; it has {reader.Position - start}.");
        }
    }
}
