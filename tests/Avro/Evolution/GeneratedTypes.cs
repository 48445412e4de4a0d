using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.Loader;
using KafkaEventSourcing.Avro.Generator;
using KafkaEventSourcing.Avro.Schemas;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>Types that the generator makes of schemas while a test runs, as it does in a build.</summary>
internal sealed class GeneratedTypes
{
    private static readonly ConcurrentDictionary<string, GeneratedTypes> Made = [];

    private static readonly Lazy<MetadataReference[]> References = new(() =>
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path =>
            MetadataReference.CreateFromFile(path))]);

    private readonly Assembly _assembly;

    private GeneratedTypes(Assembly assembly) => _assembly = assembly;

    /// <summary>The types of some files, one schema each. What was made once is kept.</summary>
    public static GeneratedTypes Of(params string[] schemas) => Made.GetOrAdd(string.Join('\n', schemas), _ => Make(schemas));

    public AvroRecordType this[string fullName] =>
        (AvroRecordType)typeof(AvroRecordType).GetMethod(nameof(AvroRecordType.Of))!.MakeGenericMethod(
            _assembly.GetType(fullName) ?? _assembly.GetType(fullName + "Record", throwOnError: true)!).Invoke(null, null)!;

    /// <summary>Reads what <paramref name="writer"/> wrote as the type of <paramref name="reader"/>, which is a record.</summary>
    public static IAvroRecord Read(string writer, string reader, params byte[] value)
    {
        AvroRecordType type = Of(reader)[((NamedSchema)SchemaParser.Parse(reader)).FullName];
        return AvroRecordType.Read(value, type.ReaderOf(SchemaParser.Parse(writer)));
    }

    /// <summary>The value of a field, by the name of its property.</summary>
    public static object? ValueOf(IAvroRecord record, string property) =>
        (record.GetType().GetProperty(property) ?? throw new MissingMemberException(record.GetType().Name, property)).GetValue(record);

    private static GeneratedTypes Make(string[] schemas)
    {
        CSharpCompilation empty = CSharpCompilation.Create(
            $"Generated{Guid.CreateVersion7():N}", references: References.Value,
            options: new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary,
                nullableContextOptions: NullableContextOptions.Enable));
        CSharpGeneratorDriver.Create(new AvroGenerator())
            .AddAdditionalTexts([.. schemas.Select((text, i) => (AdditionalText)new SchemaText($"{i}.avsc", text))])
            .RunGeneratorsAndUpdateCompilation(empty, out Compilation compilation,
                out System.Collections.Immutable.ImmutableArray<Diagnostic> diagnostics, CancellationToken.None);
        diagnostics.ShouldBeEmpty();
        using var code = new MemoryStream();
        compilation.Emit(code).Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error).ShouldBeEmpty();
        code.Position = 0;
        return new GeneratedTypes(new AssemblyLoadContext(null).LoadFromStream(code));
    }

    internal sealed class SchemaText(string path, string text) : AdditionalText
    {
        public override string Path => path;

        public override SourceText GetText(CancellationToken cancellationToken = default) => SourceText.From(text);
    }
}
