using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>A schema and those that it refers to in one text.</summary>
public sealed class SchemaJoinTests
{
    private const string Money = """
        {"type":"record","name":"Money","namespace":"a","fields":[{"name":"c","type":{"type":"enum","name":"Currency","symbols":["EUR"]}},
        {"name":"n","type":"long"}]}
        """;
    private const string Bare = """{"type":"fixed","name":"Bare","size":2}""";

    [Theory]
    [InlineData("""
        {"type":"record","name":"E","namespace":"b","fields":[{"name":"x","type":"a.Money"},{"name":"y","type":["null","a.Money"],
        "default":null}]}
        """)]
    // What is in another type is defined where it is needed first, and only named in the other then.
    [InlineData("""
        {"type":"record","name":"E","namespace":"a","fields":[{"name":"x","type":"Currency"},{"name":"y","type":{"type":"array",
        "items":"Money"}}]}
        """)]
    [InlineData("""
        {"type":"record","name":"b.E","doc":"ö","fields":[{"name":"x","type":{"type":"map","values":"Bare"}},{"name":"y","type":"a.Money",
        "default":{"c":"EUR","n":1}}]}
        """)]
    [InlineData("""["null","a.Money","Bare","a.Currency"]""")]
    [InlineData("\"a.Money\"")]
    public void Joined_schema_is_the_one_that_its_parts_are(string schema)
    {
        string[] texts = [Money, Bare, schema];
        var parser = new SchemaParser();
        AvroSchema[] parts = [.. texts.Select(parser.Read)];

        AvroSchema joined = SchemaParser.Parse(SchemaJoin.Of(texts));

        SchemaFingerprint.Of(joined).ShouldBe(SchemaFingerprint.Of(parts[^1]));
    }

    [Fact]
    public void Schema_that_refers_to_no_other_stays_as_it_is() => SchemaJoin.Of([" not JSON "]).ShouldBe(" not JSON ");
}
