using System.Text;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class Murmur2Tests
{
    // The vectors of Kafka's own UtilsTest.
    [Theory]
    [InlineData("21", -973932308)]
    [InlineData("foobar", -790332482)]
    [InlineData("a-little-bit-long-string", -985981536)]
    [InlineData("a-little-bit-longer-string", -1486304829)]
    [InlineData("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)]
    [InlineData("abc", 479470107)]
    public void Hash_is_that_of_Kafka(string key, int expected) => ((int)Murmur2.Hash(Encoding.UTF8.GetBytes(key))).ShouldBe(expected);

    [Fact]
    public void Partition_is_never_negative() =>
        Enumerable.Range(0, 10_000).Select(i => Murmur2.Partition(Encoding.UTF8.GetBytes($"key-{i}"), 7)).Distinct().Order().ShouldBe(
            Enumerable.Range(0, 7));
}
