using KafkaEventSourcing.Embedded.Kafka.Log;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>Where the value of a config comes from; the numbers are those of the DescribeConfigs API.</summary>
internal enum ConfigSource : sbyte
{
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    BrokerLogger = 6,
    ClientMetrics = 7,
    Group = 8,
}

/// <summary>A value that a config has, or would have without those before it.</summary>
internal readonly record struct ConfigValue(string Name, string? Value, ConfigSource Source)
{
    public static ConfigValue DefaultOf(ConfigDefinition definition) => new(definition.Name, definition.Default, ConfigSource.Default);
}
