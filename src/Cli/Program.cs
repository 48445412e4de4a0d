using System.CommandLine;
using KafkaEventSourcing.Cli;
using KafkaEventSourcing.Cli.Chaos;
using KafkaEventSourcing.Cli.Chaos.Domain;
using KafkaEventSourcing.Cli.DeadLetters;
using KafkaEventSourcing.Cli.Subscriptions;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.Hosting.CommandLine;

if (args is [PurseApplication.Argument, .. string[] ofNode])
    return await PurseApplication.Create().RunAsync(ofNode); // a child process of 'kes chaos'

var root = new RootCommand("kes: everything about an event store that needs no domain code.");
root.Subcommands.Add(UpCommand.Create());
root.Subcommands.Add(TopicsCommand.Create());
root.Subcommands.Add(DeadLettersCommand.Create());
root.Subcommands.Add(SubscriptionsCommand.Create());
root.Subcommands.Add(ChaosCommand.Create());
return await CommandLineRunner.RunAsync(root, args);
