using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>What the readers of other schemas' values call.</summary>
internal static class AvroSkip
{
    /// <summary>Reads a value past, as strictly as one that is kept.</summary>
    public static void Skip(ref AvroReader reader, AvroSchema schema)
    {
        switch (schema.Kind)
        {
            case SchemaKind.Null:
                break;
            case SchemaKind.Boolean:
                reader.ReadBoolean();
                break;
            case SchemaKind.Int:
                reader.ReadInt();
                break;
            case SchemaKind.Long:
                reader.ReadLong();
                break;
            case SchemaKind.Float:
                reader.ReadFixed(sizeof(float));
                break;
            case SchemaKind.Double:
                reader.ReadFixed(sizeof(double));
                break;
            case SchemaKind.Bytes or SchemaKind.String:
                reader.ReadSpan();
                break;
            default:
                SkipComposite(ref reader, schema);
                break;
        }
    }

    /// <summary>The reader's symbol for the one that comes.</summary>
    /// <exception cref="SchemaMismatchException">The reader has none for it.</exception>
    public static int ReadSymbol(ref AvroReader reader, EnumResolution symbols)
    {
        int written = reader.ReadIndex(symbols.Symbols.Count);
        return symbols.Symbols[written] is >= 0 and int known
            ? known
            : throw new SchemaMismatchException(
                $"the enum {symbols.Reader.FullName} lacks {symbols.Writer.Symbols[written]} and has no default");
    }

    /// <summary>Whether what was written takes no byte.</summary>
    public static bool IsEmpty(Resolution resolution) => resolution switch
    {
        PrimitiveResolution primitive => primitive.Writer.IsEmpty,
        FixedResolution bytes => bytes.Writer.IsEmpty,
        RecordResolution record => record.Writer.IsEmpty,
        BranchResolution branch => IsEmpty(branch.Value),
        _ => false,
    };

    private static void SkipComposite(ref AvroReader reader, AvroSchema schema)
    {
        switch (schema)
        {
            case RecordSchema { IsEmpty: true }:
                break; // a few types in one another, each twice in the next, have more fields than can be counted, and no byte
            case RecordSchema record:
                reader.Enter();
                foreach (SchemaField field in record.Fields)
                    Skip(ref reader, field.Schema);
                reader.Leave();
                break;
            case UnionSchema union:
                Skip(ref reader, union.Branches[reader.ReadIndex(union.Branches.Count)]);
                break;
            case ArraySchema array:
                SkipBlocks(ref reader, array.Items, isMap: false);
                break;
            case MapSchema map:
                SkipBlocks(ref reader, map.Values, isMap: true);
                break;
            case EnumSchema symbols:
                reader.ReadIndex(symbols.Symbols.Count);
                break;
            case FixedSchema bytes:
                reader.ReadFixed(bytes.Size);
                break;
        }
    }

    private static void SkipBlocks(ref AvroReader reader, AvroSchema item, bool isMap)
    {
        bool mayBeEmpty = !isMap && item.IsEmpty;
        reader.Enter();
        for (int count = Next(ref reader); count != 0; count = Next(ref reader))
        {
            for (; count > 0; count--)
            {
                if (isMap)
                    reader.ReadSpan();
                Skip(ref reader, item);
            }
        }

        reader.Leave();

        int Next(ref AvroReader blocks) => mayBeEmpty ? blocks.ReadEmptyCount() : blocks.ReadBlockCount();
    }
}
