using System.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary><c>kes topics</c>: what there is in a cluster, and what shall be.</summary>
internal static class TopicsCommand
{
    public static Command Create()
    {
        var command = new Command("topics", "list, describe, read, export and declare topics");
        command.Subcommands.Add(ListCommand.Create());
        command.Subcommands.Add(DescribeCommand.Create());
        command.Subcommands.Add(TailCommand.Create());
        command.Subcommands.Add(ExportCommand.Create());
        command.Subcommands.Add(DeclareCommand.Create());
        command.Subcommands.Add(DeclarationCommands.CreatePlan());
        command.Subcommands.Add(DeclarationCommands.CreateApply());
        return command;
    }
}
