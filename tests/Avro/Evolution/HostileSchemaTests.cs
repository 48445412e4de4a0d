using System.Text;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>
/// Schemas that others register: small texts in which types name types so that going through them one by one has no end, or no stack is
/// deep enough. Reading what they wrote must cost what the message is worth.
/// </summary>
public sealed class HostileSchemaTests
{
    private const int Long = 20_000;

    private const string Reader =
        """
        {"type":"record","name":"Put","namespace":"T.Hostile","fields":[{"name":"root","type":{"type":"record","name":"Node",
        "fields":[{"name":"v","type":"long"},{"name":"next","type":["null","Node"],"default":null}]}}]}
        """;

    // The process ended by an overflow of its stack when such a schema was met, and at each start again.
    [Fact]
    public void Schema_with_thousands_of_types_in_one_another_is_read_as_one_that_contains_itself()
    {
        AvroSchema writer = SchemaParser.Parse(Chain(Long));
        AvroRecordType type = GeneratedTypes.Of(Reader)["T.Hostile.Put"];
        SchemaResolver.Problems(type.Parsed, writer).ShouldBeEmpty();
        AvroRead read = type.ReaderOf(writer);
        byte[] none = new byte[Long]; // of the fields before the root
        Values(AvroRecordType.Read([.. none, 14, 2, 16, 2, 18, 0], read)).ShouldBe([7, 8, 9]);
        byte[] deep = [.. none, .. Enumerable.Repeat<byte[]>([2, 2], Long - 1).SelectMany(node => node), 2];
        Should.Throw<AvroDecodeException>(() => AvroRecordType.Read(deep, read)).Message.ShouldContain("nested deeper than 64");
        SchemaReading.Of("1", writer, type.Parsed).Differences.ShouldContain("root.v is converted from int to long");
    }

    // A problem deep within was told for each way that leads to it, which doubled from type to type until the memory was full.
    [Fact]
    public void Problem_that_many_ways_lead_to_is_reported_once()
    {
        (Resolution resolution, IReadOnlyList<string> problems) =
            SchemaResolver.Resolve(SchemaParser.Parse(Doubled(200, "\"int\"", "")), SchemaParser.Parse(Doubled(200, "\"string\"", "")));
        problems.ShouldBe(["/f0/v: string cannot be read as int"]);
        resolution.Problem.ShouldBe("/f0/v: string cannot be read as int");
        (resolution, problems) = SchemaResolver.Resolve(SchemaParser.Parse(Doubled(200, "\"int\"", "", inUnion: true)),
            SchemaParser.Parse(Doubled(200, "\"string\"", "", inUnion: true)));
        problems.Count.ShouldBe(1);
        resolution.Problem!.Length.ShouldBeLessThan(1_100);
    }

    // Whether the default of a record can be used took twice as long with each type that has another one twice.
    [Fact]
    public void Default_that_makes_more_values_than_there_is_room_for_is_refused()
    {
        Problems(60).ShouldContain(p => p.Contains("it has too many values", StringComparison.Ordinal));
        Problems(10).ShouldBeEmpty();

        static IReadOnlyList<string> Problems(int records) => SchemaResolver.Problems(
            SchemaParser.Parse(Doubled(records, "\"int\",\"default\":1", ",\"default\":{}")), SchemaParser.Parse(Doubled(0, "", "")));
    }

    // A message without a byte kept its partition busy for ever: in a field that is passed over, records of records took no byte each.
    [Fact]
    public void Field_that_is_passed_over_costs_no_more_than_its_bytes()
    {
        AvroRecordType type = GeneratedTypes.Of(Doubled(0, "", ""))["T.Hostile.Put"];
        AvroRecordType.Read([], type.ReaderOf(SchemaParser.Parse(Doubled(60, "\"null\"", "")))).ShouldNotBeNull();
    }

    // Of records that have another one without a byte twice, an array was written that could not be read: its items were taken for bytes.
    [Fact]
    public void Array_of_records_that_take_no_byte_is_read_by_all_ways()
    {
        string own = Array("");
        AvroRecordType type = GeneratedTypes.Of(own)["T.Hostile.A"];
        byte[] bytes = [10, 0];
        Count(type.Read(bytes)).ShouldBe(5);
        Count(AvroRecordType.Read(bytes, type.ReaderOf(SchemaParser.Parse(own)))).ShouldBe(5);
        Count(AvroRecordType.Read([10, 0, 2], type.ReaderOf(SchemaParser.Parse(Array(""",{"name":"z","type":"int"}"""))))).ShouldBe(5);
        AvroRecordType none = GeneratedTypes.Of("""{"type":"record","name":"A","namespace":"T.Hostile","fields":[]}""")["T.Hostile.A"];
        AvroRecordType.Read(bytes, none.ReaderOf(SchemaParser.Parse(own))).ShouldNotBeNull();
        type.ToJson(type.Read(bytes)).ShouldBe($$"""{"items":[{{string.Join(',', Enumerable.Repeat("""{"a":{},"b":{}}""", 5))}}]}""");

        static int Count(IAvroRecord record) => ((System.Collections.ICollection)GeneratedTypes.ValueOf(record, "Items")!).Count;
        static string Array(string more) =>
            $$$$"""
            {"type":"record","name":"A","namespace":"T.Hostile","fields":[{"name":"items","type":{"type":"array","items":{"type":"record",
            "name":"P","fields":[{"name":"a","type":{"type":"record","name":"Q","fields":[]}},{"name":"b","type":"Q"}]}}}{{{{more}}}}]}
            """;
    }

    private static List<long> Values(IAvroRecord put)
    {
        var values = new List<long>();
        for (var node = (IAvroRecord?)GeneratedTypes.ValueOf(put, "Root"); node is not null;
            node = (IAvroRecord?)GeneratedTypes.ValueOf(node, "Next"))
            values.Add((long)GeneratedTypes.ValueOf(node, "V")!);
        return values;
    }

    // Nodes that each have the one before, in fields that the reader does not have, and the last of them as the root.
    private static string Chain(int nodes)
    {
        var fields = new StringBuilder(
            """{"name":"f0","type":["null",{"type":"record","name":"n0.Node","fields":[{"name":"v","type":"int"}]}]}""");
        for (int i = 1; i < nodes; i++)
        {
            string node = $$"""{"name":"v","type":"int"},{"name":"next","type":["null","n{{i - 1}}.Node"]}""";
            fields.Append($$"""
                ,{"name":"f{{i}}","type":["null",{"type":"record","name":"n{{i}}.Node","fields":[{{node}}]}]}
                """);
        }

        return $$"""
            {"type":"record","name":"Put","namespace":"T.Hostile","fields":[{{fields}},{"name":"root","type":"n{{nodes - 1}}.Node"}]}
            """;
    }

    // Records that each have the one before twice.
    private static string Doubled(int records, string leaf, string rest, bool inUnion = false)
    {
        var fields = new StringBuilder();
        for (int i = 0; i < records; i++)
        {
            string before = inUnion ? $"[\"R{i - 1}\"]" : $"\"R{i - 1}\"";
            string content = i == 0 ? $$"""{"name":"v","type":{{leaf}}}"""
                : $$"""{"name":"a","type":{{before}}{{rest}}},{"name":"b","type":{{before}}{{rest}}}""";
            fields.Append(i == 0 ? "" : ",").Append(
                $$"""{"name":"f{{i}}","type":{"type":"record","name":"R{{i}}","fields":[{{content}}]}{{rest}}}""");
        }

        return $$"""{"type":"record","name":"Put","namespace":"T.Hostile","fields":[{{fields}}]}""";
    }
}
