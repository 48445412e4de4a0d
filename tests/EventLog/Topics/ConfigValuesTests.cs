namespace KafkaEventSourcing.EventLog.Tests;

public sealed class ConfigValuesTests
{
    [Theory]
    [InlineData("min.cleanable.dirty.ratio", "0.10", "0.1", true)]
    [InlineData("min.cleanable.dirty.ratio", ".5", "0.5", true)]
    [InlineData("min.cleanable.dirty.ratio", "1e-1", "0.1", true)]
    [InlineData("min.cleanable.dirty.ratio", "0.1", "0.11", false)]
    [InlineData("cleanup.policy", "compact, delete", "delete,compact", true)]
    [InlineData("cleanup.policy", "compact", "compact,delete", false)]
    [InlineData("cleanup.policy", "", " ", true)]
    [InlineData("retention.ms", "0604800000", "604800000", true)]
    [InlineData("retention.ms", " -1 ", "-1", true)]
    [InlineData("flush.ms", "9223372036854775807", "9223372036854775806", false)] // the same as a double
    [InlineData("preallocate", "True", "true", true)]
    [InlineData("preallocate", "true", "false", false)]
    [InlineData("compression.type", "lz4", "LZ4", false)]
    [InlineData("compression.type", " lz4", "lz4", true)]
    [InlineData("leader.replication.throttled.replicas", "0:1, 1:2", "1:2,0:1", true)]
    [InlineData("of.a.newer.kafka", "1.50", "1.5", true)]
    [InlineData("of.a.newer.kafka", "TRUE", "true", true)]
    [InlineData("of.a.newer.kafka", "Some", "some", false)]
    [InlineData("retention.ms", null, "1", false)]
    [InlineData("retention.ms", null, null, true)]
    public void AreSame_compares_what_values_mean(string config, string? one, string? other, bool same)
    {
        ConfigValues.AreSame(config, one, other).ShouldBe(same);
        ConfigValues.AreSame(config, other, one).ShouldBe(same);
    }
}
