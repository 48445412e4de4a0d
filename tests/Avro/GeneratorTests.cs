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
        + "[\"int\", \"string\"]}\n  ]\n}", "KESAVRO006", 4)]
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
    public void Default_that_its_type_does_not_hold_is_an_error(string type, string value) =>
        Run(("a.avsc",
            $$"""{"type":"record","name":"A","namespace":"N","fields":[{"name":"X","type":{{type}},"default":{{value}} }]}""")).Diagnostics
            .ShouldHaveSingleItem().Id.ShouldBe("KESAVRO005");

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
