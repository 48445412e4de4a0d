using System.Buffers;
using System.Globalization;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using DuckDB.NET.Data;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Archive.Tests.Files;

/// <summary>
/// Tables of made-up schemas, with values at the edges, are read as they were written, by every reader. KES_PARQUET_SCHEMAS is how many
/// schemas, 6 when it is not set; KES_SCHEMA_SEED is where to begin.
/// </summary>
public sealed class TypedFilePropertyTests
{
    private const int Rows = 40;
    private const int OwnLeaves = 8;

    [Fact]
    public async Task Values_of_any_schema_are_read_by_every_reader_as_they_were_written()
    {
        int schemas = Number("KES_PARQUET_SCHEMAS", 6);
        int seed = Number("KES_SCHEMA_SEED", 1);
        string folder = Directory.CreateTempSubdirectory("kes-parquet-").FullName;
        try
        {
            using var duck = new DuckDBConnection("DataSource=:memory:");
            duck.Open();
            for (int i = 0; i < schemas; i++, seed++)
            {
                var random = new Random(seed);
                var shapes = new AnyShapes(random);
                AnyRecord record = shapes.Record(shapes.ScalarCount + 10);
                (string path, SortedDictionary<long, JsonNode?> expected) = Write(folder, record, random);
                using FileStream file = File.OpenRead(path);
                ParquetLeaf[] leaves = ParquetLeaves.Read(file);
                SortedDictionary<long, string[]> byLibrary = ReadByLibrary(leaves, record);
                SortedDictionary<long, string[]> byDuck = ReadByDuck(duck, path, record);
                for (int field = 0; field < record.Fields.Count; field++)
                {
                    (string name, AnyShape shape) = record.Fields[field];
                    string what = $"seed {seed}, field {name}: {shape.Avro}";
                    string[] wanted = [.. expected.Values.Select(e => Text(e![name]))];
                    byLibrary.Values.Select(r => r[field]).ShouldBe(wanted, $"ParquetSharp, {what}");
                    byDuck.Values.Select(r => r[field]).ShouldBe(wanted, $"DuckDB, {what}");
                }

                await ParquetNet.Compare(file, leaves, $"seed {seed}");
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static (string Path, SortedDictionary<long, JsonNode?> Expected) Write(string folder, AnyRecord record, Random random)
    {
        string path = Path.Combine(folder, $"{Guid.CreateVersion7():N}.parquet");
        var expected = new SortedDictionary<long, JsonNode?>();
        using FileStream file = File.Create(path);
        using var writer = new TypedFileWriter(file, (RecordSchema)SchemaParser.Parse(record.Avro), "t", 3, groupRows: 15);
        for (int offset = 0; offset < Rows; offset++)
        {
            (WriteAvro write, JsonNode? text) = record.Value(random, 0);
            expected[offset] = text;
            ConsumeResult<byte[], byte[]> one = RawRecords.Event(offset, $"a{random.Next(4)}", offset + 1, Encode(write));
            writer.TryAppend(one, RawRecords.HeadOf(one)!.Value, out string? error).ShouldBeTrue(error);
        }

        writer.Complete().Rows.ShouldBe(Rows);
        return (path, expected);
    }

    private static byte[] Encode(WriteAvro write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        WireFormat.WriteHeader(buffer, 7);
        var writer = new AvroWriter(buffer);
        write(ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static string Text(JsonNode? node) => node?.ToJsonString() ?? "null";

    private static SortedDictionary<long, string[]> ReadByLibrary(ParquetLeaf[] leaves, AnyRecord record)
    {
        var read = new SortedDictionary<long, string[]>();
        for (int row = 0; row < Rows; row++)
        {
            long offset = (long)leaves[0].Next().Value!;
            Span<ParquetLeaf> rest = leaves.AsSpan(OwnLeaves);
            string[] fields = new string[record.Fields.Count];
            for (int field = 0; field < fields.Length; field++)
            {
                AnyShape shape = record.Fields[field].Shape;
                fields[field] = Text(ParquetLeaves.Take(shape, rest[..ParquetLeaves.Count(shape)], 0, 0));
                rest = rest[ParquetLeaves.Count(shape)..];
            }

            read[offset] = fields;
        }

        return read;
    }

    private static SortedDictionary<long, string[]> ReadByDuck(DuckDBConnection duck, string path, AnyRecord record)
    {
        var read = new SortedDictionary<long, string[]>();
        using DuckDBCommand command = duck.CreateCommand();
        string fields = string.Join(", ", record.Fields.Select(f => $"to_json({f.Shape.Sql($"t.\"{f.Name}\"")})::VARCHAR"));
        command.CommandText = $"SELECT \"offset\", {fields} FROM read_parquet('{path}') t";
        using DuckDBDataReader rows = command.ExecuteReader();
        while (rows.Read())
            read[rows.GetInt64(0)] = [.. Enumerable.Range(1, record.Fields.Count)
                .Select(i => rows.IsDBNull(i) ? "null" : Text(Floats(JsonNode.Parse(rows.GetString(i)))))];
        return read;
    }

    // DuckDB writes a number in the digits that tell it from its neighbours.
    private static JsonNode? Floats(JsonNode? node) => node switch
    {
        JsonObject all => new JsonObject(all.Select(m => KeyValuePair.Create(m.Key, Floats(m.Value)))),
        JsonArray all => new JsonArray([.. all.Select(Floats)]),
        JsonValue one when one.ToString() is var text && text.StartsWith("double:", StringComparison.Ordinal) =>
            AnyShapes.Float(Parse(text[7..])),
        JsonValue one when one.ToString() is var text && text.StartsWith("float:", StringComparison.Ordinal) =>
            AnyShapes.Float((float)Parse(text[6..])),
        _ => node?.DeepClone(),
    };

    private static double Parse(string text) => text switch
    {
        "nan" => double.NaN,
        "inf" => double.PositiveInfinity,
        "-inf" => double.NegativeInfinity,
        _ => double.Parse(text, CultureInfo.InvariantCulture),
    };

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number) ? number : otherwise;
}
