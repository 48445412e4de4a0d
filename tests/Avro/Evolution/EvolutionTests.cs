using KafkaEventSourcing.Avro.Schemas;
using static KafkaEventSourcing.Avro.Tests.Evolution.GeneratedTypes;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>
/// Values of earlier schemas, read by types that the generator made of later ones. Each says what went wrong while Apache Avro's resolution
/// did it.
/// </summary>
public sealed class EvolutionTests
{
    // Required arrays were unreadable after any change of the schema: "Value cannot be null (collection)".
    [Fact]
    public void Array_without_default_is_read_after_a_field_is_added()
    {
        string tags = Field("tags", """{"type":"array","items":"string"}""");
        IAvroRecord read = Read(E(tags), E(tags, """{"name":"by","type":["null","string"],"default":null}"""), 2, 2, (byte)'a', 0);
        ValueOf(read, "Tags").ShouldBe(new[] { "a" });
        ValueOf(read, "By").ShouldBeNull();
    }

    [Fact]
    public void Array_is_read_after_a_change_of_its_documentation_alone() =>
        ValueOf(Read(
            E(Field("tags", """{"type":"array","items":"string"}""")),
            E("""{"name":"tags","type":{"type":"array","items":"string"},"doc":"x"}"""), 2, 2, (byte)'a', 0), "Tags")
            .ShouldBe(new[] { "a" });

    // "Collection was of a fixed size."
    [Fact]
    public void Array_with_an_empty_default_is_read_after_a_field_is_added()
    {
        const string Days = """{"name":"d","type":{"type":"array","items":"int"},"default":[]}""";
        IAvroRecord read = Read(E(Days), E(Days, """{"name":"y","type":"int","default":1}"""), 2, 14, 0);
        ValueOf(read, "D").ShouldBe(new[] { 7 });
        ValueOf(read, "Y").ShouldBe(1);
    }

    // A renamed field silently became its default.
    [Fact]
    public void Renamed_field_takes_the_value_of_its_alias_and_not_its_default() =>
        ValueOf(Read(E(Field("amount", "\"long\"")), E("""{"name":"cents","type":"long","aliases":["amount"],"default":0}"""), 0xe8, 7),
            "Cents").ShouldBe(500L);

    [Fact]
    public void Renamed_field_in_a_nested_record_and_in_items_takes_the_value_of_its_alias()
    {
        string written = E(Field("list",
            """{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"amount","type":"int"}]}}"""));
        string read = E(Field("list",
            """{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"cents","type":"long","aliases":["amount"],"default":0}]}}"""));
        var items = (System.Collections.IEnumerable)ValueOf(Read(written, read, 4, 14, 16, 0), "List")!;
        items.Cast<IAvroRecord>().Select(i => ValueOf(i, "Cents")).ShouldBe([7L, 8L]);
    }

    // What is the new field's and what the old one's, nobody can tell.
    [Theory]
    [InlineData("""{"name":"a","type":"int"},{"name":"b","type":"int","aliases":["a"],"default":0}""",
        "alias a, which is the reader's field a too")]
    [InlineData("""{"name":"c","type":"int","aliases":["a","z"],"default":0}""", "several of the writer's fields as aliases: a, z")]
    public void Alias_that_is_ambiguous_is_refused(string fields, string says) =>
        SchemaResolver.Problems(SchemaParser.Parse(E(fields)), SchemaParser.Parse(E(Field("a", "\"int\""), Field("z", "\"int\""))))
            .ShouldHaveSingleItem().ShouldContain(says);

    [Theory]
    [InlineData("\"long\"", """{"type":"long","logicalType":"timestamp-millis"}""", "2026-01-02T03:04:05.678+00:00")]
    [InlineData("""["null","long"]""", """["null",{"type":"long","logicalType":"timestamp-millis"}]""", "2026-01-02T03:04:05.678+00:00")]
    [InlineData("""{"type":"long","logicalType":"timestamp-millis"}""", """{"type":"long","logicalType":"timestamp-micros"}""",
        "2026-01-02T03:04:05.678+00:00")]
    [InlineData("""["null",{"type":"long","logicalType":"timestamp-millis"}]""",
        """["null",{"type":"long","logicalType":"timestamp-micros"}]""", "2026-01-02T03:04:05.678+00:00")]
    [InlineData("\"long\"", """{"type":"long","logicalType":"timestamp-micros"}""", "1970-01-21T10:55:23.045678+00:00")]
    public void Time_is_the_instant_that_was_written(string written, string read, string instant)
    {
        bool isUnion = written[0] == '[';
        byte[] value = [.. isUnion ? (byte[])[2] : [], .. Varint(1767323045678)];
        ValueOf(Read(E(Field("at", written)), E(Field("at", read)), value), "At").ShouldBe(
            DateTimeOffset.Parse(instant, System.Globalization.CultureInfo.InvariantCulture));
    }

    [Fact]
    public void Time_and_date_are_read_as_their_plain_numbers()
    {
        string written = E(Field("at", """{"type":"long","logicalType":"timestamp-millis"}"""),
            Field("on", """["null",{"type":"int","logicalType":"date"}]"""));
        IAvroRecord read = Read(written, E(Field("at", "\"long\""), Field("on", """["null","int"]""")),
            [.. Varint(1767323045678), 2, .. Varint(20455)]);
        ValueOf(read, "At").ShouldBe(1767323045678L);
        ValueOf(read, "On").ShouldBe(20455);
    }

    [Fact]
    public void Int_is_read_as_a_date() =>
        ValueOf(Read(E(Field("on", "\"int\"")), E(Field("on", """{"type":"int","logicalType":"date"}""")), Varint(20455)), "On").ShouldBe(
            new DateOnly(2026, 1, 2));

    // The registry called these compatible, and the reader took the one for the other: 2026 became 1970, 1.23 became 12.3.
    [Theory]
    [InlineData("""{"type":"long","logicalType":"timestamp-micros"}""", """{"type":"long","logicalType":"timestamp-millis"}""")]
    [InlineData("""{"type":"long","logicalType":"timestamp-nanos"}""", """{"type":"long","logicalType":"timestamp-micros"}""")]
    [InlineData("""{"type":"long","logicalType":"timestamp-millis"}""", """{"type":"long","logicalType":"local-timestamp-millis"}""")]
    [InlineData("""{"type":"long","logicalType":"time-micros"}""", """{"type":"long","logicalType":"timestamp-micros"}""")]
    [InlineData("""{"type":"int","logicalType":"date"}""", """{"type":"long","logicalType":"timestamp-millis"}""")]
    [InlineData("""{"type":"int","logicalType":"date"}""", """{"type":"int","logicalType":"time-millis"}""")]
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""",
        """{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}""")]
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""",
        """{"type":"bytes","logicalType":"decimal","precision":12,"scale":1}""")]
    [InlineData("""{"type":"long","logicalType":"timestamp-nanos"}""", """{"type":"long","logicalType":"timestamp-millis"}""")]
    [InlineData("""{"type":"long","logicalType":"local-timestamp-micros"}""", """{"type":"long","logicalType":"local-timestamp-millis"}""")]
    [InlineData("""{"type":"int","logicalType":"time-millis"}""", """{"type":"long","logicalType":"timestamp-micros"}""")]
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""",
        """{"type":"bytes","logicalType":"decimal","precision":8,"scale":2}""")]
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""", "\"string\"")]
    [InlineData("\"string\"", """{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""")]
    [InlineData("""{"type":"string","logicalType":"uuid"}""", """{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}""")]
    [InlineData("\"long\"", "\"int\"")]
    [InlineData("""{"type":"fixed","name":"F","size":2}""", """{"type":"fixed","name":"F","size":3}""")]
    [InlineData("""{"type":"fixed","name":"F","size":2}""", """{"type":"fixed","name":"G","size":2}""")]
    [InlineData("""{"type":"enum","name":"S","symbols":["A","B"]}""", """{"type":"enum","name":"S","symbols":["A"]}""")]
    [InlineData("""["null","int"]""", "\"int\"")]
    [InlineData("""["int","string"]""", """["null","int"]""")]
    public void Types_whose_values_are_not_the_same_are_refused(string written, string read) => Problems(written, read).ShouldNotBeEmpty();

    [Theory]
    [InlineData("""{"type":"string","logicalType":"uuid"}""", "\"string\"")]
    [InlineData("\"string\"", """{"type":"string","logicalType":"uuid"}""")]
    [InlineData("""{"type":"fixed","name":"U","size":16}""", """{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}""")]
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""",
        """{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}""")]
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""",
        """{"type":"bytes","logicalType":"decimal","precision":12,"scale":5}""")]
    [InlineData("""{"type":"fixed","name":"F","size":8,"logicalType":"decimal","precision":9,"scale":2}""",
        """{"type":"fixed","name":"F","size":8,"logicalType":"decimal","precision":18,"scale":11}""")]
    [InlineData("""{"type":"int","logicalType":"time-millis"}""", """{"type":"long","logicalType":"time-micros"}""")]
    [InlineData("""{"type":"long","logicalType":"timestamp-millis"}""", """{"type":"long","logicalType":"timestamp-nanos"}""")]
    [InlineData("""{"type":"long","logicalType":"local-timestamp-micros"}""", """{"type":"long","logicalType":"local-timestamp-nanos"}""")]
    [InlineData("""{"type":"bytes","logicalType":"decimal"}""", "\"bytes\"")]
    [InlineData("""{"type":"string","logicalType":"date"}""", "\"string\"")]
    [InlineData("""{"type":"long","logicalType":"of-our-own"}""", """{"type":"long","logicalType":"timestamp-millis"}""")]
    [InlineData("""{"type":"fixed","name":"a.F","size":2}""", """{"type":"fixed","name":"b.F","size":2}""")]
    [InlineData("""{"type":"fixed","name":"a.F","size":2}""", """{"type":"fixed","name":"b.G","aliases":["a.F"],"size":2}""")]
    [InlineData("""{"type":"enum","name":"S","symbols":["A","B"]}""", """{"type":"enum","name":"S","symbols":["A"],"default":"A"}""")]
    [InlineData("\"int\"", """["null","long","int"]""")]
    [InlineData("""["int","null"]""", """["null","string","double"]""")]
    [InlineData("[]", "\"int\"")]
    public void Types_whose_values_are_the_same_are_compatible(string written, string read) => Problems(written, read).ShouldBeEmpty();

    [Theory]
    [InlineData("\"string\"", "\"bytes\"")]
    [InlineData("\"bytes\"", "\"string\"")]
    public void Text_and_bytes_are_read_as_each_other(string written, string read)
    {
        object? value = ValueOf(Read(E(Field("v", written)), E(Field("v", read)), 4, 0xc3, 0xa4), "V");
        (value is byte[] bytes ? System.Text.Encoding.UTF8.GetString(bytes) : value).ShouldBe("ä");
    }

    [Fact]
    public void Bytes_that_are_not_text_are_an_error_and_not_another_text() =>
        Should.Throw<AvroDecodeException>(() => Read(E(Field("v", "\"bytes\"")), E(Field("v", "\"string\"")), 4, 0xff, 0xfe)).Message
            .ShouldContain("not UTF-8");

    [Theory]
    [InlineData("int", "long", new byte[] { 5 }, -3L)]
    [InlineData("int", "float", new byte[] { 5 }, -3f)]
    [InlineData("int", "double", new byte[] { 5 }, -3d)]
    [InlineData("long", "float", new byte[] { 5 }, -3f)]
    [InlineData("long", "double", new byte[] { 5 }, -3d)]
    [InlineData("float", "double", new byte[] { 0, 0, 0x80, 0x3e }, 0.25)]
    public void Number_is_promoted(string written, string read, byte[] value, object expected) =>
        ValueOf(Read(E(Field("v", $"\"{written}\"")), E(Field("v", $"\"{read}\"")), value), "V").ShouldBe(expected);

    [Fact]
    public void Nested_types_are_found_in_another_namespace()
    {
        const string Fields = """[{"name":"v","type":"int"}]""";
        string written = E(Field("m", $$"""{"type":"record","name":"M","namespace":"a","fields":{{Fields}}}"""),
            Field("e", """{"type":"enum","name":"a.S","symbols":["X","Y"]}"""));
        string read = E(Field("m", $$"""{"type":"record","name":"M","namespace":"b","fields":{{Fields}}}"""),
            Field("e", """{"type":"enum","name":"b.S","symbols":["Y","X"]}"""));
        IAvroRecord value = Read(written, read, 14, 2);
        ValueOf((IAvroRecord)ValueOf(value, "M")!, "V").ShouldBe(7);
        ValueOf(value, "EValue")!.ToString().ShouldBe("Y");
    }

    [Fact]
    public void Symbol_that_the_reader_lacks_is_its_default_or_an_error()
    {
        string written = E(Field("e", """{"type":"enum","name":"S","symbols":["A","B","C"]}"""));
        ValueOf(Read(written, E(Field("e", """{"type":"enum","name":"S","symbols":["C","A"],"default":"A"}""")), 2), "EValue")!.ToString()
            .ShouldBe("A");
        Should.Throw<SchemaMismatchException>(() =>
            Read(written, E(Field("e", """{"type":"enum","name":"S","symbols":["C","A"]}""")), 2)).Message.ShouldContain("lacks B");
        ValueOf(Read(written, E(Field("e", """{"type":"enum","name":"S","symbols":["C","A"]}""")), 4), "EValue")!.ToString().ShouldBe("C");
    }

    // 0.1 became 0.10000000149011612.
    [Fact]
    public void Default_has_all_its_digits() =>
        ValueOf(Read(E(Field("a", "\"int\"")), E(Field("a", "\"int\""), """{"name":"v","type":"double","default":0.1}"""), 2), "V")
            .ShouldBe(0.1);

    // Newtonsoft took such texts for dates, in the machine's time zone.
    [Theory]
    [InlineData("2024-01-01")]
    [InlineData("2024-01-01T00:00:00+02:00")]
    [InlineData("2024-01-01T00:00:00Z")]
    public void Default_that_looks_like_a_date_is_a_text(string text) =>
        ValueOf(Read(E(Field("a", "\"int\"")), E(Field("a", "\"int\""), $$"""{"name":"v","type":"string","default":"{{text}}"}"""), 2),
            "V").ShouldBe(text);

    [Fact]
    public void Fingerprint_tells_texts_that_are_one_instant_apart_and_leaves_documentation_out()
    {
        static string Of(string fields) => SchemaFingerprint.Of(SchemaParser.Parse(E(fields)));
        Of("""{"name":"v","type":"string","default":"2024-01-01T00:00:00+02:00"}""").ShouldBe("c2d1804b87237474");
        Of("""{"name":"v","type":"string","default":"2023-12-31T22:00:00Z"}""").ShouldNotBe("c2d1804b87237474");
        Of("""{"name":"v", "doc":"x", "default":"2024-01-01T00:00:00+02:00", "aliases":["w"], "type":{"type":"string"}}""").ShouldBe(
            "c2d1804b87237474");
    }

    [Fact]
    public void Fields_that_the_reader_lacks_are_skipped_whatever_they_are()
    {
        string written = E(
            Field("u", """["null","string",{"type":"array","items":{"type":"map","values":"double"}}]"""),
            Field("f", """{"type":"fixed","name":"F","size":3}"""),
            Field("r", """{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}"""),
            Field("n", """{"type":"array","items":"null"}"""), Field("a", "\"int\""));
        byte[] value = [4, 1, 20, 2, 2, (byte)'k', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 2, 0, 200, 1, 0, 14];
        ValueOf(Read(written, E(Field("a", "\"int\"")), value), "A").ShouldBe(7);
    }

    [Fact]
    public void Default_that_does_not_fit_is_refused_where_it_would_be_needed()
    {
        string read = E(Field("a", "\"int\""), """{"name":"v","type":"int","default":"x"}""");
        SchemaResolver.Problems(SchemaParser.Parse(read), SchemaParser.Parse(E(Field("a", "\"int\"")))).ShouldHaveSingleItem()
            .ShouldContain("\"x\" is not a value of int");
        SchemaResolver.Problems(SchemaParser.Parse(read), SchemaParser.Parse(read)).ShouldBeEmpty();
    }

    [Fact]
    public void Value_of_the_same_encoding_takes_the_generated_code()
    {
        string schema = E(Field("tags", """{"type":"array","items":"string"}"""));
        AvroRecordType type = Of(schema)["T.E"];
        type.ReaderOf(SchemaParser.Parse(schema.Replace("\"type\":\"record\"", "\"type\":\"record\",\"doc\":\"x\"",
            StringComparison.Ordinal))).ShouldBeSameAs(type.ReaderOf(type.Parsed));
    }

    private static IReadOnlyList<string> Problems(string written, string read) =>
        SchemaResolver.Problems(SchemaParser.Parse(E(Field("v", read))), SchemaParser.Parse(E(Field("v", written))));

    private static string E(params string[] fields) =>
        $$"""{"type":"record","name":"E","namespace":"T","fields":[{{string.Join(',', fields)}}]}""";

    private static string Field(string name, string type) => $$"""{"name":"{{name}}","type":{{type}}}""";

    private static byte[] Varint(long value)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        var writer = new AvroWriter(buffer);
        writer.WriteLong(value);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
