using System.CommandLine;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Streamiz;
using Microsoft.Extensions.Logging;

namespace Banking.Streams;

/// <summary><c>streams</c>: the bank's streams in a process of their own, beside nodes that run.</summary>
internal static class StreamsCommand
{
    public static Command Create(NodeStarter starter)
    {
        var command = new Command("streams", "derive snapshots, topics per event type, turnover and joins from the events of a bank that "
            + "runs, until Ctrl-C or SIGTERM; several such processes share the work");
        Option<bool> atLeastOnce = AtLeastOnce();
        ServerOptions servers = starter.Options;
        foreach (Option option in (Option[])[servers.Kafka, servers.KafkaSettings, servers.Registry, servers.RegistrySettings,
            servers.Data, servers.ReplicationFactor, servers.SessionTimeout, servers.Verbose, servers.LogFormat, atLeastOnce])
            command.Options.Add(option);
        command.SetAction(async (result, cancellationToken) =>
        {
            ServerAddresses addresses = servers.AddressesOf(result);
            if (addresses.Kafka is null || addresses.Registry is null)
                throw new InvalidInputException(addresses.Kafka is null ? servers.Kafka.Name : servers.Registry.Name,
                    "The streams read the log of a bank that runs: name its servers with --kafka and --registry, which it prints when it "
                        + "serves.");
            var options = new EventStreamsOptions
            {
                ExactlyOnce = !result.GetValue(atLeastOnce),
                SessionTimeout = servers.SessionTimeoutOf(result) ?? new EventStreamsOptions().SessionTimeout,
                ReplicationFactor = result.GetValue(servers.ReplicationFactor) ?? -1,
            };
            string data = DataFolder.Check(result.GetValue(servers.Data) ?? Path.Combine("data", starter.Application.Name));
            using ILoggerFactory loggers = servers.CreateLog(result);
            await using var streams = EventStreamsRunner.Start(BankStreams.Definition, starter.Application.Name,
                StreamServers.Of(addresses, data), options, loggers, starter.Time);
            await Follow(streams, cancellationToken).ConfigureAwait(false);
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>The option that says which guarantee the streams have.</summary>
    public static Option<bool> AtLeastOnce() => ServerOptions.Named("--at-least-once", "KES_STREAMS_AT_LEAST_ONCE",
        "streams without transactions: after a crash events may be in the topics of their type again; all else is the same", bool.Parse,
        false);

    private static async Task Follow(EventStreamsRunner streams, CancellationToken cancellationToken)
    {
        string name = streams.Definition.Name;
        Console.WriteLine($"{name} starts.");
        try
        {
            Task restored = streams.WaitForRestoreAsync(cancellationToken);
            if (await Task.WhenAny(streams.Completion, restored).ConfigureAwait(false) == restored)
            {
                await restored.ConfigureAwait(false);
                Console.WriteLine($"{name} is restored and follows the events. Ctrl-C ends it.");
            }

            await streams.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // It was asked to end.
        }
    }
}
