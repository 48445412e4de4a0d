using System.CommandLine;

namespace KafkaEventSourcing.Cli.Streams;

/// <summary><c>kes streams</c>: derived streams of a cluster, how far they have come, and how they begin again.</summary>
internal static class StreamsCommand
{
    public static Command Create()
    {
        var command = new Command("streams", "show derived streams, their topics and how far they have come, or have them begin again");
        command.Subcommands.Add(ListCommand.Create());
        command.Subcommands.Add(DescribeCommand.Create());
        command.Subcommands.Add(ResetCommand.Create());
        return command;
    }
}
