using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.Avro.Tests.Evolution;

namespace KafkaEventSourcing.Avro.Tests;

/// <summary>
/// A record that was nested 200,000 deep ended the process, at every start: the stack has no room for it, and nothing catches that.
/// </summary>
public sealed class NestingTests
{
    private const string Node =
        """{"type":"record","name":"Node","namespace":"T.Deep","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Node"]}]}""";

    private static readonly byte[] Deep = [.. Enumerable.Repeat((byte)2, 400_000), 2, 0];

    [Fact]
    public void Value_of_the_same_schema_is_refused() => Refused(Node, Node, Deep);

    [Fact]
    public void Value_of_an_earlier_schema_is_refused() => Refused(
        Node.Replace("\"int\"", "\"long\"", StringComparison.Ordinal).Replace("Node", "Tree", StringComparison.Ordinal),
        Node.Replace("\"int\"", "\"double\"", StringComparison.Ordinal).Replace("Node", "Tree", StringComparison.Ordinal), Deep);

    [Fact]
    public void Value_that_is_skipped_is_refused() => Refused(
        $$"""{"type":"record","name":"Put","namespace":"T.Deep","fields":[{"name":"root","type":{{Node}}},{"name":"a","type":"int"}]}""",
        """{"type":"record","name":"Put","namespace":"T.Deep","fields":[{"name":"a","type":"int"}]}""", [.. Deep, 2]);

    [Theory]
    [InlineData("array", "items")]
    [InlineData("map", "values")]
    public void Value_that_is_nested_by_collections_is_refused(string kind, string content)
    {
        string schema =
            $$"""{"type":"record","name":"In{{kind}}","namespace":"T.Deep","fields":[{"name":"all","type":{"type":"{{kind}}","{{content}}":"In{{kind}}"} }]}""";
        Refused(schema, schema, [.. Enumerable.Repeat(kind == "array" ? new byte[] { 2 } : [2, 0], 200_000).SelectMany(b => b),
            .. new byte[400_000]]);
    }

    [Fact]
    public void Record_that_contains_itself_and_has_no_value_is_refused()
    {
        const string Endless = """{"type":"record","name":"Endless","namespace":"T.Deep","fields":[{"name":"self","type":"Endless"}]}""";
        Refused(Endless, Endless, []);
        Refused(
            """{"type":"record","name":"Has","namespace":"T.Deep","fields":[{"name":"all","type":{"type":"array","items":{"type":"record","name":"Endless","fields":[{"name":"self","type":"Endless"}]}}}]}""",
            """{"type":"record","name":"Has","namespace":"T.Deep","fields":[]}""", [4, 0, 0]);
    }

    [Fact]
    public void Value_that_is_nested_by_a_union_is_refused()
    {
        const string Union =
            """{"type":"record","name":"Deeper","namespace":"T.Deep","fields":[{"name":"next","type":["string","Deeper",{"type":"array","items":"Deeper"}]}]}""";
        byte[] value = [.. Enumerable.Repeat((byte)2, 200_000), 0, 0];
        Refused(Union, Union, value);
        Refused(Union.Replace("[\"string\"", "[\"bytes\"", StringComparison.Ordinal), Union, value);
    }

    // The registry called it compatible, and each value that lacked the field was unreadable.
    [Theory]
    [InlineData(64, null)]
    [InlineData(65, "nested too deep")]
    public void Default_that_is_nested_too_deep_is_refused(int depth, string? problem)
    {
        string type = string.Concat(Enumerable.Repeat("{\"type\":\"array\",\"items\":", depth)) + "\"int\"" + new string('}', depth);
        string value = new string('[', depth) + new string(']', depth);
        string reader = $$"""{"type":"record","name":"D","fields":[{"name":"v","type":{{type}},"default":{{value}} }]}""";
        string? found = SchemaResolver.Problems(SchemaParser.Parse(reader),
            SchemaParser.Parse("""{"type":"record","name":"D","fields":[]}""")).SingleOrDefault();
        if (problem is null)
            found.ShouldBeNull();
        else
            found!.ShouldContain(problem);
    }

    [Fact]
    public void Default_that_is_nested_200_000_deep_is_refused() => Should.Throw<SchemaParseException>(() => SchemaParser.Parse(
        $$"""{"type":"record","name":"D","fields":[{"name":"v","type":"int","default":{{new string('[', 200_000)}}{{new string(']', 200_000)}} }]}"""));

    [Fact]
    public void Schema_that_is_nested_too_deep_is_refused()
    {
        string deep = string.Concat(Enumerable.Repeat("{\"type\":\"array\",\"items\":", 10_000)) + "\"int\"" + new string('}', 10_000);
        Should.Throw<SchemaParseException>(() => SchemaParser.Parse(deep));
    }

    private static void Refused(string writer, string reader, byte[] value) =>
        Should.Throw<AvroDecodeException>(() => GeneratedTypes.Read(writer, reader, value)).Message.ShouldContain("nested deeper than 64");
}
