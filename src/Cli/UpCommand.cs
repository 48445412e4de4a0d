using System.CommandLine;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Hosting.Embedded;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Cli;

/// <summary><c>kes up</c>: Kafka, Schema Registry and MongoDB in one process, on their customary ports, until Ctrl-C.</summary>
internal static class UpCommand
{
    private const int KafkaPort = 9092;
    private const int RegistryPort = 8081;
    private const int MongoPort = 27017;

    public static Command Create()
    {
        var servers = new EmbeddedServers(KafkaPort, RegistryPort, MongoPort);
        Option<string> data = ServerOptions.Named("--data", "KES_DATA", "data folder (default data/kes)", v => v,
            Path.Combine("data", "kes"));
        var embedded = new EmbeddedServerOptions(servers);
        var verbose = new Option<bool>("--verbose") { Description = "log what goes on to standard error" };
        Option<string> logFormat = ServerOptions.CreateLogFormat();
        var command = new Command("up", "run an embedded Kafka, Schema Registry and MongoDB until Ctrl-C");
        command.Options.Add(data);
        foreach (Option option in embedded.All)
            command.Options.Add(option);
        command.Options.Add(verbose);
        command.Options.Add(logFormat);
        command.SetAction(async (result, cancellationToken) =>
        {
            string folder = DataFolder.Check(result.GetValue(data)!);
            FileDescriptors.Check(FileDescriptors.Needed(aggregates: 1, partitions: 4));
            DataFolder.Create(folder);
            using ILoggerFactory loggers = ConsoleLog.Create(result.GetValue(verbose), result.GetValue(logFormat) == LogFormatter.Json);
            try
            {
                await using IServers running = await servers.StartAsync(
                    new ServersRequest { Addresses = new ServerAddresses(), DataDirectory = folder, Settings = embedded.ValuesOf(result) },
                    loggers, cancellationToken).ConfigureAwait(false);
                Console.WriteLine($"Kafka            {running.Addresses.Kafka}");
                Console.WriteLine($"Schema Registry  {running.Addresses.Registry}");
                Console.WriteLine($"MongoDB          {running.Addresses.MongoDB}");
                Console.WriteLine($"Data in {folder}. Ctrl-C ends them.");
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Asked to end, be it while they still started.
            }

            return ExitCodes.Done;
        });
        return command;
    }
}
