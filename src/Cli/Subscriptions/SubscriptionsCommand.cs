using System.CommandLine;

namespace KafkaEventSourcing.Cli.Subscriptions;

/// <summary><c>kes subscriptions</c>: how far subscriptions have come, and the aggregates whose events they do not take.</summary>
internal static class SubscriptionsCommand
{
    public static Command Create()
    {
        var command = new Command("subscriptions",
            "show how far subscriptions have come and which aggregates they have parked, have these handled again, or pass over an event");
        command.Subcommands.Add(ListCommand.Create());
        command.Subcommands.Add(ShowCommand.Create());
        command.Subcommands.Add(ResolveCommands.CreateRetry());
        command.Subcommands.Add(ResolveCommands.CreateSkip());
        return command;
    }
}
