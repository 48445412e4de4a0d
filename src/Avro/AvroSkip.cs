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

    /// <summary>Whether values may take no byte at all.</summary>
    public static bool MayBeEmpty(Resolution resolution) => resolution switch
    {
        PrimitiveResolution primitive => primitive.Writer.Kind == SchemaKind.Null,
        FixedResolution bytes => bytes.Writer.Size == 0,
        RecordResolution record => MayBeEmpty(record.Writer, []),
        BranchResolution branch => MayBeEmpty(branch.Value),
        _ => false,
    };

    /// <summary>Whether values may take no byte at all.</summary>
    public static bool MayBeEmpty(AvroSchema schema) => MayBeEmpty(schema, []);

    // A record that contains itself without a union between has no value at all.
    private static bool MayBeEmpty(AvroSchema schema, HashSet<RecordSchema> open) => schema switch
    {
        FixedSchema bytes => bytes.Size == 0,
        RecordSchema record => open.Add(record) && record.Fields.All(field => MayBeEmpty(field.Schema, open)),
        _ => schema.Kind == SchemaKind.Null,
    };

    private static void SkipComposite(ref AvroReader reader, AvroSchema schema)
    {
        switch (schema)
        {
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
        bool mayBeEmpty = !isMap && MayBeEmpty(item);
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
