using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Streamiz;

namespace Banking.Streams;

/// <summary>Where the log is that the bank's streams read.</summary>
internal static class StreamServers
{
    /// <summary>The servers for a process that runs the streams.</summary>
    public static ApplicationServers Of(ServerAddresses addresses, string dataDirectory) => new()
    {
        Kafka = addresses.KafkaConnection, Registry = addresses.RegistryConfig(), DataDirectory = dataDirectory,
    };

    /// <summary>A reader of what the streams have written.</summary>
    public static EventStreamsReader Reader(string application, ServerAddresses addresses) =>
        new(BankStreams.Definition, application, addresses.KafkaConnection, addresses.RegistryConfig());
}
