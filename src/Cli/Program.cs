using System.CommandLine;
using KafkaEventSourcing.Cli;
using KafkaEventSourcing.Cli.DeadLetters;
using KafkaEventSourcing.Cli.History;
using KafkaEventSourcing.Cli.Schemas;
using KafkaEventSourcing.Cli.Streams;
using KafkaEventSourcing.Cli.Subscriptions;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.Hosting.CommandLine;

var root = new RootCommand("kes: everything about an event store that needs no domain code.");
root.Subcommands.Add(UpCommand.Create());
root.Subcommands.Add(TopicsCommand.Create());
root.Subcommands.Add(HistoryCommand.Create());
root.Subcommands.Add(SchemasCommand.Create());
root.Subcommands.Add(DeadLettersCommand.Create());
root.Subcommands.Add(SubscriptionsCommand.Create());
root.Subcommands.Add(StreamsCommand.Create());
return await CommandLineRunner.RunAsync(root, args);
