using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Reads a value past as a reader of another schema would, and keeps nothing: for readers that have schemas and no generated types.
/// </summary>
internal static class ResolvedWalk
{
    /// <exception cref="SchemaMismatchException">The value is none of the reader's.</exception>
    /// <exception cref="AvroDecodeException">The bytes are not a value of the writer's schema, or more than one.</exception>
    public static void Walk(ReadOnlySpan<byte> value, Resolution resolution)
    {
        var reader = new AvroReader(value);
        Walk(ref reader, resolution);
        if (reader.Remaining > 0)
            throw new AvroDecodeException(reader.Position, $"{reader.Remaining} bytes follow the value.");
    }

    private static void Walk(ref AvroReader reader, Resolution resolution)
    {
        if (resolution.Problem is { } problem)
            throw new SchemaMismatchException(problem);
        switch (resolution)
        {
            case PrimitiveResolution { Writer.Kind: SchemaKind.Bytes or SchemaKind.String, Reader.Kind: SchemaKind.String }:
                reader.ReadString();
                break;
            case PrimitiveResolution primitive:
                AvroSkip.Skip(ref reader, primitive.Writer);
                break;
            case FixedResolution bytes:
                reader.ReadFixed(bytes.Writer.Size);
                break;
            case EnumResolution symbols:
                AvroSkip.ReadSymbol(ref reader, symbols);
                break;
            case ArrayResolution array:
                WalkBlocks(ref reader, array.Items, isMap: false);
                break;
            case MapResolution map:
                WalkBlocks(ref reader, map.Values, isMap: true);
                break;
            case UnionResolution union:
                Walk(ref reader, union.Branches[reader.ReadIndex(union.Branches.Count)]);
                break;
            case BranchResolution branch:
                Walk(ref reader, branch.Value);
                break;
            case RecordResolution record:
                reader.Enter();
                foreach (FieldStep step in record.Steps)
                {
                    if (step.Value is null)
                        AvroSkip.Skip(ref reader, step.Written.Schema);
                    else
                        Walk(ref reader, step.Value);
                }

                reader.Leave();
                break;
            default:
                throw new NotSupportedException(resolution.GetType().Name);
        }
    }

    private static void WalkBlocks(ref AvroReader reader, Resolution item, bool isMap)
    {
        bool mayBeEmpty = !isMap && AvroSkip.IsEmpty(item);
        reader.Enter();
        for (int count = Next(ref reader); count != 0; count = Next(ref reader))
        {
            for (; count > 0; count--)
            {
                if (isMap)
                    reader.ReadString();
                Walk(ref reader, item);
            }
        }

        reader.Leave();

        int Next(ref AvroReader blocks) => mayBeEmpty ? blocks.ReadEmptyCount() : blocks.ReadBlockCount();
    }
}
