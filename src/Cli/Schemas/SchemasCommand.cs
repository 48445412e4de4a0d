using System.CommandLine;

namespace KafkaEventSourcing.Cli.Schemas;

/// <summary><c>kes schemas</c>: the schemas of a registry, and whether those of files read what is in topics.</summary>
internal static class SchemasCommand
{
    public static Command Create()
    {
        var command = new Command("schemas", "list, compare, register, export and check schemas");
        command.Subcommands.Add(ListCommand.Create());
        command.Subcommands.Add(DiffCommand.Create());
        command.Subcommands.Add(RegisterCommand.Create());
        command.Subcommands.Add(ExportCommand.Create());
        command.Subcommands.Add(CheckCommand.Create());
        return command;
    }
}
