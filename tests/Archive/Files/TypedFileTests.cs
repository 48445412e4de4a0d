using System.Buffers;
using System.Globalization;
using DuckDB.NET.Data;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Archive.Tests.Files;

/// <summary>What analysts see of a table, asked with DuckDB.</summary>
public sealed class TypedFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-typed-").FullName;
    private readonly DuckDBConnection _duck = new("DataSource=:memory:");

    public TypedFileTests() => _duck.Open();

    [Fact]
    public void Columns_of_the_event_come_first_and_fields_of_their_names_have_a_prefix()
    {
        string path = Write("""
            {"type":"record","name":"bank.E","fields":[{"name":"Version","type":"int"},{"name":"time","type":"int"},
             {"name":"field_time","type":"int"},{"name":"amount","type":"int"},{"name":"Amount","type":"int"},{"name":"date","type":"int"}]}
            """, Ints(1, 2, 3, 4, 5, 6), Ints(7, 8, 9, 10, 11, 12));
        Ask($"SELECT column_name FROM (DESCRIBE SELECT * FROM '{path}')").ShouldBe(
        [
            "offset", "partition", "aggregate_id", "version", "time", "command_id", "correlation_id", "causation_id",
            "field_Version", "field_time_2", "field_time", "amount", "Amount_2", "field_date",
        ]);
        Ask($"SELECT \"offset\" || ' ' || \"partition\" || ' ' || aggregate_id || ' ' || version || ' ' || epoch(time)::BIGINT || ' ' || "
            + $"command_id || ' ' || correlation_id || ' ' || causation_id || ' ' || field_version || ' ' || field_time_2 FROM '{path}'")
            .ShouldBe(["0 3 a0 1 1764547200 c0 r0 c0 1 2", "1 3 a1 2 1764547201 c1 r0 c1 7 8"]);
    }

    [Fact]
    public void Value_that_is_not_one_of_the_schema_is_refused_and_leaves_the_file_as_it_was()
    {
        string path = Path.Combine(_folder, "wrong.parquet");
        using (FileStream file = File.Create(path))
        {
            using TypedFileWriter writer = Writer(file, """
                {"type":"record","name":"bank.E","fields":[{"name":"s","type":{"type":"array","items":"string"}},
                 {"name":"d","type":{"type":"int","logicalType":"date"}},{"name":"m","type":{"type":"map","values":"int"}},
                 {"name":"n","type":{"type":"bytes","logicalType":"decimal","precision":3,"scale":1}}]}
                """);
            Try(writer, 0, [4, 2, (byte)'a', 2, (byte)'b', 0, 2, 2, 2, (byte)'k', 2, 0, 4, 0, 100]).ShouldBeNull();
            Try(writer, 1, [4, 2, (byte)'a', 2, 0xff, 0, 2, 0, 2, 0])!.ShouldContain("t 0@1 is not a bank.E: Byte 4: A text is not UTF-8.");
            Try(writer, 2, [0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 2, 0])!.ShouldContain("not in the years 1 to 9999");
            Try(writer, 3, [0, 2, 2, 2, (byte)'k', 2, 2, 2, (byte)'k', 4, 0, 2, 0])!.ShouldContain("The map m has a key twice");
            Try(writer, 4, [0, 2, 0, 4, 3, 0xe8])!.ShouldContain("more than the 3 digits");
            Try(writer, 5, [0, 2, 0, 0])!.ShouldContain("no bytes");
            Try(writer, 6, [0, 2, 0, 2, 7, 7])!.ShouldContain("1 bytes follow the value");
            Try(writer, 7, [0, 2])!.ShouldContain("is not a bank.E");
            writer.TryAppend(RawRecords.Event(8, "a", 1, "no frame"u8.ToArray()), RawRecords.HeadOf(RawRecords.Event(8, "a", 1))!.Value,
                out string? unframed).ShouldBeFalse();
            unframed!.ShouldContain("does not begin with the id of a schema");
            Try(writer, 9, [0, 4, 0, 4, 0xfc, 0x19]).ShouldBeNull();
            writer.Complete().Rows.ShouldBe(2);
        }

        Ask($"SELECT \"offset\" || ' ' || s::VARCHAR || ' ' || d::VARCHAR || ' ' || m::VARCHAR || ' ' || n::VARCHAR FROM '{path}'")
            .ShouldBe(["0 [a, b] 1970-01-02 {k=1} 10.0", "9 [] 1970-01-03 {} -99.9"]);
    }

    [Fact]
    public void Types_that_Parquet_cannot_say_are_json()
    {
        string path = Write("""
            {"type":"record","name":"bank.Tree","fields":[{"name":"n","type":"int"},{"name":"left","type":["null","bank.Tree"]},
             {"name":"empty","type":{"type":"record","name":"Empty","fields":[]}},{"name":"nothing","type":"null"},
             {"name":"all","type":{"type":"array","items":"bank.Tree"}}]}
            """, [2, 2, 4, 0, 0, 0], [6, 0, 0]);
        Ask($"SELECT n || ' ' || coalesce(\"left\"::VARCHAR, '-') || ' ' || empty::VARCHAR || ' ' || (nothing IS NULL) || ' ' || "
            + $"\"all\"::VARCHAR FROM '{path}'").ShouldBe(
            ["""1 {"n":2,"left":null,"empty":{},"nothing":null,"all":[]} {} true []""", "3 - {} true []"]);
    }

    [Fact]
    public void Schema_that_would_have_millions_of_columns_has_a_bounded_number_and_json()
    {
        string type = "\"int\"";
        for (int i = 0; i < 30; i++)
        {
            string other = i == 0 ? "int" : $"T{i - 1}";
            type = $$"""
                {"type":"record","name":"T{{i}}","fields":[{"name":"a","type": {{type}} },{"name":"b","type":"{{other}}"}]}
                """;
        }

        using var file = new MemoryStream();
        using (var writer = new TypedFileWriter(file, (RecordSchema)SchemaParser.Parse(type), "t", 0))
            writer.Complete();
        ParquetLeaves.Read(file).Length.ShouldBeInRange(100, 2000);
    }

    [Fact]
    public void Rows_are_found_by_what_they_hold_also_through_statistics()
    {
        const string Uuids = """{"type":"string","logicalType":"uuid"}""";
        string path = Path.Combine(_folder, "found.parquet");
        using (FileStream file = File.Create(path))
        {
            using TypedFileWriter writer = Writer(file, $$"""
                {"type":"record","name":"E","fields":[{"name":"d","type":"double"},{"name":"f","type":["null","float"]},
                 {"name":"u","type": {{Uuids}} },
                 {"name":"n","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2} }]}
                """, groupRows: 5);
            for (int i = 0; i < 40; i++)
            {
                double number = i % 5 == 0 ? double.NaN : i % 5 == 1 ? -0d : i;
                Try(writer, i, Encode((ref AvroWriter w) =>
                {
                    w.WriteDouble(number);
                    w.WriteInt(1);
                    w.WriteFloat((float)number);
                    w.WriteUuid(new Guid(i * 1000, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]));
                    w.WriteDecimal(i - 20.25m, 10, 2, "n");
                })).ShouldBeNull();
            }

            writer.Complete();
        }

        string Count(string where) => Ask($"SELECT count(*)::VARCHAR FROM '{path}' WHERE {where}").Single();
        Count("isnan(d)").ShouldBe("8");
        Count("d = 'nan'::DOUBLE").ShouldBe("8");
        Count("d >= 38").ShouldBe("10"); // 38, 39, and what is not a number, which DuckDB has above all others
        Count("d = 0").ShouldBe("8");
        Count("f = 'nan'::FLOAT").ShouldBe("8");
        Count("f < 0.5").ShouldBe("8");
        Count("u = '00009c40-0000-0000-0000-000000000001'").ShouldBe("0");
        Count("u = '000088b8-0000-0000-0000-000000000001'").ShouldBe("1");
        Count("n = -20.25").ShouldBe("1");
        Count("n < 0").ShouldBe("21");
        Count("aggregate_id = 'a1'").ShouldBe("20");
    }

    [Fact]
    public void Instant_in_nanoseconds_is_whole_in_the_file_and_cut_to_microseconds_by_DuckDB()
    {
        string path = Write("""
            {"type":"record","name":"E","fields":[{"name":"i","type":{"type":"long","logicalType":"timestamp-nanos"}},
             {"name":"l","type":{"type":"long","logicalType":"local-timestamp-nanos"}}]}
            """, Longs(1_764_547_200_123_456_789, 1_764_547_200_123_456_789));
        using FileStream file = File.OpenRead(path);
        ParquetLeaves.Read(file)[8].Entries.Single().Value.ShouldBe(1_764_547_200_123_456_789);
        Ask($"SELECT epoch_ns(i)::VARCHAR || ' ' || epoch_ns(l)::VARCHAR FROM '{path}'")
            .ShouldBe(["1764547200123456000 1764547200123456789"]);
    }

    [Fact]
    public void Raw_file_is_read_by_DuckDB_too()
    {
        string path = Path.Combine(_folder, "raw.parquet");
        File.WriteAllBytes(path, RawRecords.Write([RawRecords.Event(4, "b", 1), RawRecords.Event(5, "a", 9, []),
            RawRecords.Record(7, null, null, new Confluent.Kafka.Timestamp(long.MaxValue, Confluent.Kafka.TimestampType.CreateTime),
                new Confluent.Kafka.Header("h", null!), new Confluent.Kafka.Header("h", []))]).ToArray());
        Ask($"SELECT \"offset\" || ' ' || coalesce(aggregate_id, '-') || ' ' || coalesce(version, -1) || ' ' || coalesce(event_type, '-') "
            + $"|| ' ' || "
            + "coalesce(epoch_ms(time), -1) || ' ' || coalesce(command_id, '-') || ' ' || coalesce(correlation_id, '-') || ' ' || "
            + "coalesce(schema_id, -1) || ' ' || coalesce(epoch_ms(\"timestamp\"), -1) || ' ' || coalesce(timestamp_bits, -1) || ' ' || "
            + "coalesce(hex(key), '-') || ' ' || coalesce(hex(value), '-') || ' ' || len(headers) || ' ' || "
            + $"coalesce(hex(headers[1].value), '-') FROM '{path}' ORDER BY \"offset\"").ShouldBe(
            [
                "4 b 1 bank.Deposited 1764547204000 c4 r2 7 1764547200004 -1 62 0000000007010203 9 312E30",
                "5 a 9 bank.Deposited 1764547205000 c5 r2 -1 1764547200005 -1 61  9 312E30",
                "7 - -1 - -1 - - -1 -1 9223372036854775807 - - 2 -",
            ]);
    }

    public void Dispose()
    {
        _duck.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string Write(string schema, params byte[][] values)
    {
        string path = Path.Combine(_folder, "table.parquet");
        using FileStream file = File.Create(path);
        using TypedFileWriter writer = Writer(file, schema);
        for (int i = 0; i < values.Length; i++)
            Try(writer, i, values[i]).ShouldBeNull();
        writer.Complete().Rows.ShouldBe(values.Length);
        return path;
    }

    private static TypedFileWriter Writer(Stream file, string schema, int groupRows = 100) =>
        new(file, (RecordSchema)SchemaParser.Parse(schema), "t", 3, groupRows);

    private static string? Try(TypedFileWriter writer, long offset, byte[] value)
    {
        Confluent.Kafka.ConsumeResult<byte[], byte[]> record = RawRecords.Event(offset, $"a{offset % 2}", offset + 1,
            [0, 0, 0, 0, 7, .. value]);
        record.TopicPartitionOffset = new Confluent.Kafka.TopicPartitionOffset("t", 0, offset);
        return writer.TryAppend(record, RawRecords.HeadOf(record)!.Value, out string? error) ? null : error;
    }

    private static byte[] Ints(params int[] values) => Longs([.. values.Select(v => (long)v)]);

    private static byte[] Longs(params long[] values) => Encode((ref AvroWriter writer) =>
    {
        foreach (long value in values)
            writer.WriteLong(value);
    });

    private static byte[] Encode(WriteAvro write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new AvroWriter(buffer);
        write(ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private List<string> Ask(string sql)
    {
        using DuckDBCommand command = _duck.CreateCommand();
        command.CommandText = sql;
        using DuckDBDataReader rows = command.ExecuteReader();
        var read = new List<string>();
        while (rows.Read())
            read.Add(Convert.ToString(rows.GetValue(0), CultureInfo.InvariantCulture)!);
        return read;
    }
}
