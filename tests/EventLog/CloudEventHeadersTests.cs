using System.Text;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class CloudEventHeadersTests
{
    [Theory]
    [InlineData("2026-03-01T12:34:56.123456Z", "2026-03-01T12:34:56.123456Z")]
    [InlineData("2026-03-01T13:34:56+01:00", "2026-03-01T12:34:56Z")]
    public void Time_is_read_and_written_in_UTC(string text, string written)
    {
        CloudEventHeaders.TryDecodeTime(Encoding.UTF8.GetBytes(text), out DateTimeOffset time).ShouldBeTrue();
        Encoding.UTF8.GetString(CloudEventHeaders.Encode(time)).ShouldBe(written);
    }

    [Fact]
    public void Time_that_is_none_is_refused() => CloudEventHeaders.TryDecodeTime("soon"u8, out _).ShouldBeFalse();

    [Theory]
    [InlineData(0)]
    [InlineData(long.MaxValue)]
    public void Number_survives(long number)
    {
        CloudEventHeaders.TryDecodeNumber(CloudEventHeaders.Encode(number), out long read).ShouldBeTrue();
        read.ShouldBe(number);
    }

    [Fact]
    public void Find_takes_the_last_of_several() =>
        CloudEventHeaders.Find(new Headers { { "a", [1] }, { "b", [2] }, { "a", [3] } }, "a").ShouldBe([3]);

    [Fact]
    public void Connection_text_hides_secrets() =>
        new KafkaConnection { BootstrapServers = "h:1", Settings = new Dictionary<string, string> { ["sasl.password"] = "hunter2", ["sasl.username"] = "me" } }
            .ToString().ShouldBe("Kafka h:1; sasl.password=***; sasl.username=me");

    [Theory]
    [InlineData("nowhere")]
    [InlineData("host:0")]
    [InlineData("host:99999")]
    [InlineData("good:9092,bad")]
    public void Connection_address_that_is_none_is_refused(string address) =>
        Should.Throw<InvalidInputException>(() => new KafkaConnection { BootstrapServers = address }.Validate()).Field.ShouldBe("--kafka");
}
