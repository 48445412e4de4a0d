using KafkaEventSourcing.Avro.Generator;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

namespace KafkaEventSourcing.Avro.Tests;

/// <summary>A schema that cannot be used is a build error at its file, line and column.</summary>
public sealed class GeneratorTests
{
    [Theory]
    [InlineData("{\n  \"type\": \"record\",\n  \"name\" \"A\"\n}", "KESAVRO001", 3)]
    [InlineData("{\n  \"type\": \"record\",\n  \"name\": \"A\"\n}", "KESAVRO002", 1)]
    [InlineData("{\n  \"type\": \"record\", \"name\": \"A\", \"namespace\": \"N\",\n  \"fields\": [\n    {\"name\": \"X\", \"type\": "
        + "\"lng\"}\n  ]\n}", "KESAVRO004", 4)]
    [InlineData("{\n  \"type\": \"record\", \"name\": \"A\", \"namespace\": \"N\",\n  \"fields\": [\n    {\"name\": \"X\", \"type\": "
        + "\"int\"},\n    {\"name\": \"X\", \"type\": \"int\"}\n  ]\n}", "KESAVRO003", 5)]
    [InlineData("{\n  \"type\": \"record\", \"name\": \"A\", \"namespace\": \"N\",\n  \"fields\": [\n    {\"name\": \"X\", \"type\": "
        + "\"int\",\n     \"default\": \"one\"}\n  ]\n}", "KESAVRO005", 5)]
    [InlineData("{\n  \"type\": \"record\", \"name\": \"A\", \"namespace\": \"N\",\n  \"fields\": [\n    {\"name\": \"X\", \"type\": "
        + "[\"null\"]}\n  ]\n}", "KESAVRO006", 4)]
    public void Broken_schema_is_an_error_at_its_line(string schema, string id, int line)
    {
        Diagnostic error = Run(("broken.avsc", schema)).Diagnostics.ShouldHaveSingleItem();
        error.Id.ShouldBe(id);
        error.Severity.ShouldBe(DiagnosticSeverity.Error);
        error.Location.GetLineSpan().Path.ShouldBe("broken.avsc");
        (error.Location.GetLineSpan().StartLinePosition.Line + 1).ShouldBe(line);
        error.GetMessage(System.Globalization.CultureInfo.InvariantCulture).ShouldStartWith("broken.avsc: ");
    }

    // They were taken, and the code that was made of them did not compile, or was not what the schema says.
    [Theory]
    [InlineData("\"double\"", "1e400")]
    [InlineData("\"float\"", "1e39")]
    [InlineData("\"bytes\"", "\"\\u0100\"")]
    [InlineData("\"string\"", "\"\\ud800\"")]
    [InlineData("""["int","null"]""", "\"abc\"")]
    [InlineData("""["int","null"]""", "null")]
    [InlineData("""["null","int"]""", "1")]
    [InlineData("""{"type":"int","logicalType":"date"}""", "2147483647")]
    [InlineData("""{"type":"long","logicalType":"timestamp-millis"}""", "253402300800000")]
    [InlineData("""{"type":"long","logicalType":"timestamp-micros"}""", "-62135596800000001")]
    [InlineData("\"int\"", "2147483648")]
    [InlineData("""["int","string"]""", "\"abc\"")]
    [InlineData("""["null","int","string"]""", "1")]
    [InlineData("""{"type":"array","items":"int"}""", "[1,\"a\"]")]
    [InlineData("""{"type":"map","values":"int"}""", """{"a":1.5}""")]
    [InlineData("""{"type":"enum","name":"S","symbols":["A"]}""", "\"B\"")]
    [InlineData("""{"type":"fixed","name":"F","size":2}""", "\"abc\"")]
    [InlineData("""{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}""", "{}")]
    [InlineData("""{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}""", """{"a":null}""")]
    [InlineData("""{"type":"string","logicalType":"uuid"}""", "\"019c0000-0000-7000-8000-00000000000g\"")]
    [InlineData("""{"type":"int","logicalType":"time-millis"}""", "86400000")]
    [InlineData("""{"type":"long","logicalType":"time-micros"}""", "-1")]
    [InlineData("""{"type":"long","logicalType":"timestamp-nanos"}""", "101")] // .NET counts in 100
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":2,"scale":1}""", "\"\\u0000d\"")] // 100
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":2}""", "\"\"")]
    public void Default_that_its_type_does_not_hold_is_an_error(string type, string value) =>
        Run(("a.avsc",
            $$"""{"type":"record","name":"A","namespace":"N","fields":[{"name":"X","type":{{type}},"default":{{value}} }]}""")).Diagnostics
            .ShouldHaveSingleItem().Id.ShouldBe("KESAVRO005");

    // What C# or the readers of schemas could not take became an error of the compiler, or of the program when it ran.
    [Theory]
    [InlineData("""["int",["string"]]""", "KESAVRO004")]
    [InlineData("""["int","string","int"]""", "KESAVRO003")]
    [InlineData("""["int",{"type":"int","logicalType":"date"}]""", "KESAVRO003")]
    [InlineData("""["null","string","null"]""", "KESAVRO003")]
    [InlineData("[]", "KESAVRO006")]
    [InlineData("\"null\"", "KESAVRO006")]
    [InlineData("""{"type":"array","items":"null"}""", "KESAVRO006")]
    [InlineData("""{"type":"fixed","name":"F"}""", "KESAVRO002")]
    [InlineData("""{"type":"fixed","name":"F","size":-1}""", "KESAVRO002")]
    [InlineData("""{"type":"fixed","name":"F","size":1.5}""", "KESAVRO002")]
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":10001}""", "KESAVRO006")]
    [InlineData("""{"type":"enum","name":"S","symbols":["value__"]}""", "KESAVRO006")]
    [InlineData("""{"type":"enum","name":"S","symbols":["true"],"default":true}""", "KESAVRO005")]
    [InlineData("""{"type":"record","name":"R","aliases":"Q","fields":[]}""", "KESAVRO002")]
    [InlineData("""{"type":"record","name":"R","aliases":["1"],"fields":[]}""", "KESAVRO002")]
    [InlineData("""{"type":"record","name":"System.Guid","fields":[]}""", "KESAVRO006")]
    [InlineData("""{"type":"record","name":"System.Guid.Inner","fields":[]}""", "KESAVRO006")]
    [InlineData("""{"type":"record","name":"System.Collections","fields":[]}""", "KESAVRO006")]
    [InlineData("""{"type":"record","name":"Avro.Schema","fields":[]}""", "KESAVRO006")]
    [InlineData("""{"type":"record","name":"N.A.B","fields":[]}""", "KESAVRO003")] // N.A is a type
    [InlineData("""{"type":"int","default":01}""", "KESAVRO001")]
    [InlineData("""{"type":"int","default":.5}""", "KESAVRO001")]
    [InlineData("""{"type":"error","name":"R","fields":[]}""", "KESAVRO004")]
    public void Type_that_cannot_be_generated_is_an_error(string type, string id)
    {
        Diagnostic error = Run(("a.avsc",
            $$"""{"type":"record","name":"A","namespace":"N","fields":[{"name":"X","type":{{type}}}]}""")).Diagnostics
            .ShouldHaveSingleItem();
        error.Id.ShouldBe(id);
        error.Location.GetLineSpan().Path.ShouldBe("a.avsc");
    }

    [Theory]
    [InlineData("\"int\"", "[\"PII\"]", "", "neither a string nor bytes")]
    [InlineData("""{"type":"string","logicalType":"uuid"}""", "[\"PII\"]", "", "neither a string nor bytes")]
    [InlineData("""{"type":"array","items":"string"}""", "[\"PII\"]", "", "neither a string nor bytes")]
    [InlineData("""["null","string","int"]""", "[\"PII\"]", "", "neither a string nor bytes")]
    [InlineData("\"string\"", "\"PII\"", "", "are not an array of texts")]
    [InlineData("\"string\"", "[\"PII\"]", ",\n\"kes.subject\":\"Z\"", "it must be the name of another field of A")]
    [InlineData("\"string\"", "[\"PII\"]", ",\n\"kes.subject\":\"X\"", "it must be the name of another field of A")]
    [InlineData("\"string\"", "[\"PII\"]", ",\n\"kes.subject\":\"Number\"", "it must be the name of another field of A")]
    [InlineData("\"string\"", "[\"public\"]", ",\n\"kes.subject\":\"Who\"", "is not tagged as personal")]
    public void Tag_that_cannot_be_kept_is_an_error_at_its_line(string type, string tags, string subject, string told)
    {
        Diagnostic error = Run(("a.avsc", $$"""
            {"type":"record","name":"A","namespace":"N","fields":[{"name":"Who","type":"string"},{"name":"Number","type":"int"},
            {"name":"X","type":{{type}},
            "confluent:tags":{{tags}}{{subject}}}]}
            """)).Diagnostics.ShouldHaveSingleItem();
        error.Id.ShouldBe("KESAVRO006");
        error.Location.GetLineSpan().StartLinePosition.Line.ShouldBe(subject.Length > 0 ? 3 : 2);
        error.GetMessage(System.Globalization.CultureInfo.InvariantCulture).ShouldContain(told);
    }

    // The types would have made each other without end.
    [Theory]
    [InlineData("""{"type":"record","name":"A","namespace":"N","fields":[{"name":"x","type":["null","A"],"default":null},{"name":"b","type":{"type":"array","items":"A"},"default":[{"b":[]}]}]}""", "KESAVRO006")]
    [InlineData("""{"type":"record","name":"A","namespace":"N","fields":[{"name":"b","type":{"type":"record","name":"B","fields":[{"name":"a","type":"A","default":{}}]},"default":{}}]}""", "KESAVRO005")]
    public void Default_that_has_itself_in_it_is_an_error(string schema, string id) =>
        Run(("a.avsc", schema)).Diagnostics.ShouldAllBe(d => d.Id == id);

    [Fact]
    public void Text_that_is_nested_200_000_deep_is_an_error() =>
        Run(("a.avsc", string.Concat(Enumerable.Repeat("{\"type\":", 200_000)))).Diagnostics.ShouldHaveSingleItem().Id.ShouldBe(
            "KESAVRO001");

    // Each file is shallow; the text of the first has them all in it, and nobody could read that.
    [Fact]
    public void Schema_that_is_too_deep_with_the_types_of_other_files_is_an_error() => Run(
        [.. Enumerable.Range(0, 300).Select(i =>
            ($"{i:000}.avsc", $$"""{"type":"record","name":"A{{i}}","namespace":"N","fields":[{{(i == 299 ? "" : $$"""{"name":"X","type":"A{{i + 1}}"}""")}}]}"""))])
        .Diagnostics.ShouldAllBe(d => d.Id == "KESAVRO006");

    [Fact]
    public void Type_defined_in_two_files_is_an_error_that_names_both()
    {
        const string Schema = """{"type": "record", "name": "A", "namespace": "N", "fields": []}""";
        string message = Run(("a.avsc", Schema), ("b.avsc", Schema)).Diagnostics.ShouldHaveSingleItem().GetMessage(
            System.Globalization.CultureInfo.InvariantCulture);
        message.ShouldContain("a.avsc");
        // whoever shares a type for the first time writes it twice
        message.ShouldContain("Define it once, in a file of its own if several use it, and write \"N.A\" as the type elsewhere");
    }

    [Fact]
    public void Types_may_refer_to_each_other_across_files_in_any_order()
    {
        GeneratorDriverRunResult result = Run(
            ("a.avsc", """{"type": "record", "name": "A", "namespace": "N", "fields": [{"name": "B", "type": "B"}]}"""),
            ("b.avsc", """{"type": "enum", "name": "B", "namespace": "N", "symbols": ["X"]}"""));
        result.Diagnostics.ShouldBeEmpty();
        result.GeneratedTrees.Length.ShouldBe(2);
    }

    private static GeneratorDriverRunResult Run(params (string Path, string Text)[] schemas) =>
        CSharpGeneratorDriver.Create(new AvroGenerator()).AddAdditionalTexts(
            [.. schemas.Select(s => (AdditionalText)new SchemaText(s.Path, s.Text))])
            .RunGenerators(CSharpCompilation.Create("Test"), TestContext.Current.CancellationToken).GetRunResult();

    private sealed class SchemaText(string path, string text) : AdditionalText
    {
        public override string Path => path;

        public override SourceText GetText(CancellationToken cancellationToken = default) => SourceText.From(text);
    }
}
