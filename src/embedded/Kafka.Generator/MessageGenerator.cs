using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace KafkaEventSourcing.Embedded.Kafka.Generator;

/// <summary>Turns the .kmsg files of a project into message classes with their codecs.</summary>
[Generator(LanguageNames.CSharp)]
public sealed class MessageGenerator : IIncrementalGenerator
{
    private static readonly DiagnosticDescriptor Wrong = new("KESMSG001", "The message definition cannot be understood", "{0}", "Kafka",
        DiagnosticSeverity.Error, isEnabledByDefault: true);

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<(string Path, string Text)> files = context.AdditionalTextsProvider
            .Where(file => file.Path.EndsWith(".kmsg", StringComparison.Ordinal))
            .Select((file, cancellation) => (file.Path, file.GetText(cancellation)?.ToString() ?? ""));
        context.RegisterSourceOutput(files, Generate);
    }

    private static void Generate(SourceProductionContext context, (string Path, string Text) file)
    {
        List<MessageDefinition> messages;
        try
        {
            messages = DefinitionParser.Parse(file.Text.Replace("\r", ""));
        }
        catch (Exception wrong) when (wrong is DefinitionException or FormatException)
        {
            int line = wrong is DefinitionException definition ? definition.Line - 1 : 0;
            var at = new LinePosition(line, 0);
            context.ReportDiagnostic(Diagnostic.Create(Wrong, Location.Create(file.Path, default, new LinePositionSpan(at, at)),
                wrong.Message));
            return;
        }

        foreach (MessageDefinition message in messages)
            context.AddSource($"{message.ClassName}.g.cs", SourceText.From(MessageEmitter.Emit(message), Encoding.UTF8));
    }
}
