using System.CommandLine;
using KafkaEventSourcing.Chaos;
using KafkaEventSourcing.Chaos.Domain;
using KafkaEventSourcing.Cli;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;

// Child processes of its own: a node of the built-in application, or the embedded servers.
if (args is [WalletApplication.Argument, .. string[] ofNode])
    return await WalletApplication.Create().RunAsync(ofNode);
if (args is ["up", ..])
    return await CommandLineRunner.RunAsync(new RootCommand { UpCommand.Create() }, args);

return await CommandLineRunner.RunAsync(ChaosCommand.Create(), args);
