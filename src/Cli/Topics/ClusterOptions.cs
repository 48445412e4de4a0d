using System.CommandLine;
using System.CommandLine.Parsing;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>The options that name a cluster and its registry; where <c>kes up</c> has them when nothing is said.</summary>
internal sealed class ClusterOptions
{
    private const string DefaultKafka = "localhost:9092";
    private const string DefaultRegistry = "http://localhost:8081";
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(10);

    private readonly ServerOptions _servers = new();

    public void AddTo(Command command, bool withRegistry)
    {
        command.Options.Add(_servers.Kafka);
        command.Options.Add(_servers.KafkaSettings);
        if (withRegistry)
            AddRegistryTo(command);
    }

    public void AddRegistryTo(Command command)
    {
        command.Options.Add(_servers.Registry);
        command.Options.Add(_servers.RegistrySettings);
    }

    /// <summary>The first of the options that the command line itself gives; null: none.</summary>
    public string? GivenOf(SymbolResult result) => new Option[]
    {
        _servers.Kafka, _servers.KafkaSettings, _servers.Registry, _servers.RegistrySettings,
    }.FirstOrDefault(o => result.GetResult(o) is { Implicit: false })?.Name;

    public KafkaConnection KafkaOf(ParseResult result)
    {
        ServerAddresses named = _servers.AddressesOf(result);
        KafkaConnection kafka = (named with { Kafka = named.Kafka ?? DefaultKafka }).KafkaConnection;
        kafka.Validate();
        return kafka;
    }

    public SchemaRegistryConfig RegistryOf(ParseResult result)
    {
        ServerAddresses named = _servers.AddressesOf(result);
        named = named with { Kafka = null, Registry = named.Registry ?? DefaultRegistry };
        named.Validate();
        return named.RegistryConfig();
    }

    public static IAdminClient Admin(KafkaConnection kafka) =>
        kafka.BuildAdmin();

    /// <summary>The topics of the cluster.</summary>
    /// <exception cref="CommandFailedException">No broker answers.</exception>
    public static List<TopicMetadata> Topics(IAdminClient admin, KafkaConnection kafka)
    {
        try
        {
            return [.. admin.GetMetadata(MetadataTimeout).Topics.OrderBy(t => t.Topic, StringComparer.Ordinal)];
        }
        catch (KafkaException unreachable)
        {
            throw new CommandFailedException($"No Kafka broker answers at {kafka.BootstrapServers}: {unreachable.Error.Reason}. "
                + "Name the brokers with --kafka or KES_KAFKA; an application prints its own when it serves, and 'run --kafka-port 9092' "
                + "puts its embedded Kafka here. 'kes up' starts servers without an application.", unreachable);
        }
    }

    /// <summary>One topic.</summary>
    /// <exception cref="CommandFailedException">There is no such topic, or no broker answers.</exception>
    public static TopicMetadata Topic(IAdminClient admin, KafkaConnection kafka, string name) =>
        Topics(admin, kafka).Find(t => t.Topic == name)
        ?? throw new CommandFailedException(
            $"There is no topic '{name}' at {kafka.BootstrapServers}. 'kes topics list' shows those that there are.");
}
