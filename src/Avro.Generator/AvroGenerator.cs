using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>
/// Turns the .avsc files of a project into C# types. A schema that cannot be used is a build error at its line and column.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed class AvroGenerator : IIncrementalGenerator
{
    private static readonly Dictionary<string, string> Titles = new()
    {
        ["KESAVRO001"] = "The schema is not JSON",
        ["KESAVRO002"] = "The schema lacks something",
        ["KESAVRO003"] = "Something is defined twice",
        ["KESAVRO004"] = "A type or symbol is unknown",
        ["KESAVRO005"] = "A default does not fit",
        ["KESAVRO006"] = "A type cannot be generated",
    };

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValueProvider<ImmutableArray<SchemaFile>> files = context.AdditionalTextsProvider
            .Where(file => file.Path.EndsWith(".avsc", StringComparison.OrdinalIgnoreCase))
            .Select((file, cancellation) => new SchemaFile(file.Path, file.GetText(cancellation)?.ToString() ?? ""))
            .WithTrackingName("Schemas")
            .Collect();
        context.RegisterSourceOutput(files, Generate);
    }

    private static void Generate(SourceProductionContext context, ImmutableArray<SchemaFile> files)
    {
        var schemas = new SchemaSet();
        bool usable = true;
        foreach (SchemaFile file in files.OrderBy(f => f.Path, StringComparer.Ordinal))
            usable &= Try(context, file, () => schemas.Declare(file));
        if (!usable)
            return;
        foreach (NamedType type in schemas.Types)
            usable &= Try(context, type.File, () => schemas.Complete(type));
        if (!usable)
            return;
        foreach (NamedType type in schemas.Types)
            usable &= Try(context, type.File, () => schemas.Check(type));
        if (!usable)
            return;

        // Names of sources differ by more than case.
        var sources = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        foreach (NamedType type in schemas.Types.Where(t => t.Kind != NamedKind.Fixed))
        {
            sources[type.FullName] = sources.TryGetValue(type.FullName, out int before) ? before + 1 : 1;
            string name = before == 0 ? $"{type.FullName}.g.cs" : $"{type.FullName}.{before + 1}.g.cs";
            Try(context, type.File, () => context.AddSource(name, SourceText.From(Emitter.Emit(type, schemas), Encoding.UTF8)));
        }
    }

    private static bool Try(SourceProductionContext context, SchemaFile file, Action step)
    {
        try
        {
            step();
            return true;
        }
        catch (SchemaException wrong)
        {
            var text = SourceText.From(file.Text);
            var span = new TextSpan(Math.Min(wrong.Position, file.Text.Length), 0);
            var location = Location.Create(file.Path, span, text.Lines.GetLinePositionSpan(span));
            var descriptor = new DiagnosticDescriptor(wrong.Id, Titles[wrong.Id], "{0}: {1}", "Avro", DiagnosticSeverity.Error,
                isEnabledByDefault: true);
            context.ReportDiagnostic(Diagnostic.Create(descriptor, location, Path.GetFileName(file.Path), wrong.Message));
            return false;
        }
    }
}
