using System.CommandLine;
using KafkaEventSourcing.Cli;
using KafkaEventSourcing.Cli.DeadLetters;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.Hosting.CommandLine;

var root = new RootCommand("kes: everything about an event store that needs no domain code.");
root.Subcommands.Add(UpCommand.Create());
root.Subcommands.Add(TopicsCommand.Create());
root.Subcommands.Add(DeadLettersCommand.Create());
return await CommandLineRunner.Run(root, args);
