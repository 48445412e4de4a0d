using System.CommandLine;
using System.Globalization;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Schemas;

/// <summary><c>kes schemas register SUBJECT FILE</c>.</summary>
internal static class RegisterCommand
{
    public static Command Create()
    {
        var servers = new ClusterOptions();
        var subject = new Argument<string>("subject") { Description = "the subject, topic-record for messages of an application" };
        var file = new Argument<FileInfo>("file") { Description = "the schema, an .avsc file" };
        var references = new Option<string[]>("--reference")
        {
            Description = "a type that the schema names, name=subject:version; may be repeated",
            HelpName = "reference",
        };
        references.Validators.Add(result =>
        {
            foreach (string token in result.Tokens.Select(t => t.Value).Where(t => !TryParse(t, out _)))
                result.AddError($"--reference '{token}' must be name=subject:version, such as Shop.Money=shop.money:1.");
        });
        var dryRun = new Option<bool>("--dry-run") { Description = "ask whether the registry would take it, and register nothing" };
        var command = new Command("register", "give a schema to the registry. Exit code 1: the registry does not take it");
        command.Arguments.Add(subject);
        command.Arguments.Add(file);
        command.Options.Add(references);
        command.Options.Add(dryRun);
        servers.AddRegistryTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            using var registry = new CachedSchemaRegistryClient(servers.RegistryOf(result));
            string name = result.GetValue(subject)!;
            var schema = new Schema(await File.ReadAllTextAsync(result.GetValue(file)!.FullName, cancellationToken).ConfigureAwait(false),
                [.. (result.GetValue(references) ?? []).Select(Parse)], SchemaType.Avro);
            if (!result.GetValue(dryRun))
            {
                int id = await registry.RegisterSchemaAsync(name, schema, normalize: false).ConfigureAwait(false);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} has it as schema {id}."));
                return ExitCodes.Done;
            }

            bool isTaken = !(await RegistrySubjects.Of(registry, name).ConfigureAwait(false)).Contains(name)
                || await registry.IsCompatibleAsync(name, schema).ConfigureAwait(false);
            Console.WriteLine(isTaken
                ? $"{name} would take it. Nothing is registered."
                : $"{name} would not take it: 'kes schemas diff {name} FILE' says why. Nothing is registered.");
            return isTaken ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static SchemaReference Parse(string text) => TryParse(text, out SchemaReference? reference)
        ? reference!
        : throw new InvalidInputException("--reference", $"'{text}' is not name=subject:version.");

    private static bool TryParse(string text, out SchemaReference? reference)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        int colon = text.LastIndexOf(':');
        reference = equals > 0 && colon > equals + 1
            && int.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int version) && version > 0
            ? new SchemaReference(text[..equals], text[(equals + 1)..colon], version)
            : null;
        return reference is not null;
    }
}
