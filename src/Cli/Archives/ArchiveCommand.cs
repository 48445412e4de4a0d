using System.CommandLine;

namespace KafkaEventSourcing.Cli.Archives;

/// <summary><c>kes archive</c>: what has left the topics, or may.</summary>
internal static class ArchiveCommand
{
    public static Command Create()
    {
        var command = new Command("archive", "the archive of events: make it, see what is there and what holds events back, check it");
        command.Subcommands.Add(CreateCommand.Create());
        command.Subcommands.Add(StatusCommand.Create());
        command.Subcommands.Add(VerifyCommand.Create());
        return command;
    }
}
