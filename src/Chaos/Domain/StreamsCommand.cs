using System.CommandLine;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Streamiz;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Chaos.Domain;

/// <summary><c>streams</c>: event streams in a process of their own, exactly once, until SIGTERM.</summary>
internal static class StreamsCommand
{
    // Servers that are killed now and then must not keep them away for a minute.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    /// <summary>The command.</summary>
    /// <param name="starter">The application.</param>
    /// <param name="definition">What runs.</param>
    /// <param name="clients">Makes the Kafka clients; null: as they are.</param>
    public static Command Create(NodeStarter starter, EventStreamsDefinition definition, StreamClientsFactory? clients = null)
    {
        var command = new Command("streams", "derive from the events of an application that runs");
        ServerOptions servers = starter.Options;
        foreach (Option option in (Option[])[servers.Kafka, servers.KafkaSettings, servers.Registry, servers.RegistrySettings,
            servers.Data, servers.SessionTimeout, servers.Verbose, servers.LogFormat])
            command.Options.Add(option);
        command.SetAction(async (result, cancellationToken) =>
        {
            ServerAddresses addresses = servers.AddressesOf(result);
            var application = new ApplicationServers
            {
                Kafka = addresses.KafkaConnection, Registry = addresses.RegistryConfig(), DataDirectory = result.GetValue(servers.Data)!,
            };
            var options = new EventStreamsOptions
            {
                SessionTimeout = servers.SessionTimeoutOf(result)!.Value, MaxRestartDelay = LongestWait,
            };
            using ILoggerFactory loggers = servers.CreateLog(result);
            EventStreamsRunner streams = clients is null
                ? EventStreamsRunner.Start(definition, starter.Application.Name, application, options, loggers, starter.Time)
                : EventStreamsRunner.Start(definition, starter.Application.Name, application, options, clients, loggers, starter.Time);
            await using (streams.ConfigureAwait(false))
            {
                try
                {
                    await streams.WaitForRestoreAsync(cancellationToken).ConfigureAwait(false);
                    Console.WriteLine($"{definition.Name} is restored and follows the events.");
                    await streams.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
                {
                    // It was asked to end.
                }
            }

            return ExitCodes.Done;
        });
        return command;
    }
}
