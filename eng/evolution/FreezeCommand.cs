using System.CommandLine;
using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Hosting.Load;

namespace Banking.Ledger;

/// <summary><c>freeze ACCOUNT</c>: what a ledger does not have, and a later version of the bank withdraws.</summary>
internal static class FreezeCommand
{
    public static Command Create(NodeStarter starter)
    {
        var command = new Command("freeze", "freeze an account");
        var account = new Argument<string>("ACCOUNT") { Description = "the id of the account" };
        var lift = new Option<bool>("--lift") { Description = "unfreeze it at once" };
        command.Arguments.Add(account);
        command.Options.Add(lift);
        starter.AddOptions(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            string id = result.GetValue(account)!;
            await using NodeHandle running = await starter.StartAsync(result, "data", cancellationToken).ConfigureAwait(false);
            using var feed = new CommandFeed(running.Node, new CommandFeedOptions());
            await feed.SendAsync([Envelope(id, "freeze", new FreezeAccount { Reason = "A court has ordered it." })], cancellationToken)
                .ConfigureAwait(false);
            if (result.GetValue(lift))
                await feed.SendAsync([Envelope(id, "unfreeze", new UnfreezeAccount())], cancellationToken).ConfigureAwait(false);
            await running.Node.WaitForReadModelsAsync(cancellationToken).ConfigureAwait(false);
            return feed.Accepted == feed.Answered ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static CommandEnvelope Envelope<TCommand>(string account, string what, TCommand command)
        where TCommand : class =>
        new(AggregateId.Parse(account), CommandId.Parse($"{what}-{account}"), command);
}
