using System.CommandLine;

namespace KafkaEventSourcing.Cli.DeadLetters;

/// <summary><c>kes dead-letters</c>: records that could not be processed, and what waits behind them.</summary>
internal static class DeadLettersCommand
{
    public static Command Create()
    {
        var command = new Command("dead-letters",
            "list and show records that could not be processed, have them processed again, or discard them");
        command.Subcommands.Add(ListCommand.Create());
        command.Subcommands.Add(ShowCommand.Create());
        command.Subcommands.Add(ResolveCommands.CreateRetry());
        command.Subcommands.Add(ResolveCommands.CreateDiscard());
        return command;
    }
}
