using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using ParquetSharp;

namespace KafkaEventSourcing.Archive.Tests.Files;

/// <summary>A column of a file as it is: levels, and values as their bits are.</summary>
internal sealed class ParquetLeaf(string path, IReadOnlyList<(short Definition, short Repetition, object? Value)> entries)
{
    private int _at;

    public string Path => path;

    public IReadOnlyList<(short Definition, short Repetition, object? Value)> Entries => entries;

    public (short Definition, short Repetition, object? Value)? Peek => _at < entries.Count ? entries[_at] : null;

    public (short Definition, short Repetition, object? Value) Next() => entries[_at++];
}

/// <summary>Reads columns and puts them together, by a shape alone.</summary>
internal static class ParquetLeaves
{
    /// <summary>The columns of a file, all row groups one after the other.</summary>
    public static ParquetLeaf[] Read(Stream file)
    {
        using var reader = new ParquetFileReader(file, leaveOpen: true);
        int columns = reader.FileMetaData.NumColumns;
        var leaves = new ParquetLeaf[columns];
        for (int column = 0; column < columns; column++)
        {
            var entries = new List<(short, short, object?)>();
            ColumnDescriptor descriptor = reader.FileMetaData.Schema.Column(column);
            for (int group = 0; group < reader.FileMetaData.NumRowGroups; group++)
            {
                using RowGroupReader rows = reader.RowGroup(group);
                using ColumnReader values = rows.Column(column);
                entries.AddRange(values switch
                {
                    ColumnReader<bool> typed => Entries(typed, descriptor, v => v),
                    ColumnReader<int> typed => Entries(typed, descriptor, v => v),
                    ColumnReader<long> typed => Entries(typed, descriptor, v => v),
                    ColumnReader<float> typed => Entries(typed, descriptor, v => v),
                    ColumnReader<double> typed => Entries(typed, descriptor, v => v),
                    ColumnReader<ByteArray> typed => Entries(typed, descriptor, v => Bytes(v.Pointer, v.Length)),
                    ColumnReader<FixedLenByteArray> typed => Entries(typed, descriptor, v => Bytes(v.Pointer, descriptor.TypeLength)),
                    _ => throw new NotSupportedException(values.GetType().ToString()),
                });
            }

            leaves[column] = new ParquetLeaf(descriptor.Path.ToDotString(), entries);
        }

        return leaves;
    }

    /// <summary>The next value of a shape, taken from its columns.</summary>
    public static JsonNode? Take(AnyShape shape, ReadOnlySpan<ParquetLeaf> leaves, short definition, short repetition)
    {
        switch (shape)
        {
            case AnyDuration duration:
                return Group(duration.Parts.Fields, leaves, definition, repetition);
            case AnyRecord record:
                return Group(record.Fields, leaves, definition, repetition);
            case AnyUnion { IsOptional: true } optional:
                return leaves[0].Peek!.Value.Definition <= definition
                    ? Missing(leaves)
                    : Take(optional.Members.First(m => m.Shape is not null).Shape!, leaves, (short)(definition + 1), repetition);
            case AnyUnion union:
                if (union.Members.Any(m => m.Shape is null))
                {
                    definition++;
                    if (leaves[0].Peek!.Value.Definition < definition)
                        return Missing(leaves);
                }

                return Group([.. union.Members.Where(m => m.Shape is not null)
                    .Select(m => (m.Name, (AnyShape)new AnyUnion([("", null), ("", m.Shape)])))], leaves, definition, repetition);
            case AnyItems items:
                var all = new JsonArray();
                if (leaves[0].Peek!.Value.Definition <= definition)
                {
                    Missing(leaves);
                    return all;
                }

                do
                {
                    string? key = items.IsMap ? System.Text.Encoding.UTF8.GetString((byte[])leaves[0].Next().Value!) : null;
                    JsonNode? value = Take(items.Item, items.IsMap ? leaves[1..] : leaves, (short)(definition + 1),
                        (short)(repetition + 1));
                    all.Add(items.IsMap ? new JsonObject { ["key"] = key, ["value"] = value } : value);
                }
                while (leaves[0].Peek is { } next && next.Repetition == repetition + 1);

                return all;
            default:
                return JsonValue.Create(shape.Show(leaves[0].Next().Value!));
        }
    }

    /// <summary>How many columns a shape has.</summary>
    public static int Count(AnyShape shape) => shape switch
    {
        AnyDuration duration => duration.Parts.Fields.Count,
        AnyRecord record => record.Fields.Sum(f => Count(f.Shape)),
        AnyUnion union => union.Members.Sum(m => m.Shape is null ? 0 : Count(m.Shape)),
        AnyItems items => Count(items.Item) + (items.IsMap ? 1 : 0),
        _ => 1,
    };

    private static JsonObject Group(IEnumerable<(string Name, AnyShape Shape)> fields, ReadOnlySpan<ParquetLeaf> leaves, short definition,
        short repetition)
    {
        var group = new JsonObject();
        foreach ((string name, AnyShape shape) in fields)
        {
            int count = Count(shape);
            group[name] = Take(shape, leaves[..count], definition, repetition);
            leaves = leaves[count..];
        }

        return group;
    }

    private static JsonNode? Missing(ReadOnlySpan<ParquetLeaf> leaves)
    {
        foreach (ParquetLeaf leaf in leaves)
            leaf.Next().Value.ShouldBeNull();
        return null;
    }

    private static List<(short, short, object?)> Entries<T>(ColumnReader<T> column, ColumnDescriptor descriptor, Func<T, object> show)
        where T : unmanaged
    {
        const int Batch = 100;
        var entries = new List<(short, short, object?)>();
        short[] definitions = new short[Batch];
        short[] repetitions = new short[Batch];
        var values = new T[Batch];
        while (column.HasNext)
        {
            int levels = (int)column.ReadBatch(Batch, definitions, repetitions, values, out _);
            int value = 0;
            for (int i = 0; i < levels; i++)
            {
                short definition = descriptor.MaxDefinitionLevel == 0 ? (short)0 : definitions[i];
                entries.Add((definition, descriptor.MaxRepetitionLevel == 0 ? (short)0 : repetitions[i],
                    definition == descriptor.MaxDefinitionLevel ? show(values[value++]) : null));
            }
        }

        return entries;
    }

    private static byte[] Bytes(IntPtr pointer, int length)
    {
        byte[] bytes = new byte[length];
        if (length > 0)
            Marshal.Copy(pointer, bytes, 0, length);
        return bytes;
    }
}
