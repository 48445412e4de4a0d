using System.Text;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class CloudEventHeadersTests
{
    [Theory]
    [InlineData("2026-03-01T12:34:56.123456Z", "2026-03-01T12:34:56.123456Z")]
    [InlineData("2026-03-01T13:34:56+01:00", "2026-03-01T12:34:56Z")]
    [InlineData("2026-03-01T00:04:56.5-00:30", "2026-03-01T00:34:56.5Z")]
    [InlineData("2026-03-01t12:34:56z", "2026-03-01T12:34:56Z")]
    [InlineData("2026-03-01T12:34:56.123456789123Z", "2026-03-01T12:34:56.123456Z")]
    [InlineData("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z")]
    [InlineData("2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00Z")]
    [InlineData("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z")]
    public void Time_is_read_and_written_in_UTC(string text, string written)
    {
        CloudEventHeaders.TryDecodeTime(Encoding.UTF8.GetBytes(text), out DateTimeOffset time).ShouldBeTrue();
        Encoding.UTF8.GetString(CloudEventHeaders.Encode(time)).ShouldBe(written);
    }

    // What .NET takes for a time and RFC 3339 does not, and what is not a time at all.
    [Theory]
    [InlineData("")]
    [InlineData("soon")]
    [InlineData("12:34")]
    [InlineData("2026-03-01")]
    [InlineData("03/01/2026 12:34:56")]
    [InlineData("2026-03-01 12:34:56Z")]
    [InlineData("2026-03-01T12:34:56")]
    [InlineData("2026-03-01T12:34Z")]
    [InlineData("2026-03-01T12:34:56.Z")]
    [InlineData("2026-03-01T12:34:56+0100")]
    [InlineData("2026-03-01T12:34:56+24:00")]
    [InlineData("2026-03-01T12:34:56Z ")]
    [InlineData("2026-02-29T12:34:56Z")]
    [InlineData("2026-13-01T12:34:56Z")]
    [InlineData("2026-03-01T24:00:00Z")]
    [InlineData("2026-03-01T12:00:60Z")]
    [InlineData("0000-03-01T12:34:56Z")]
    [InlineData("0001-01-01T00:00:00+01:00")]
    [InlineData("9999-12-31T23:59:59-01:00")]
    [InlineData("٢٠٢٦-03-01T12:34:56Z")]
    public void Time_that_RFC_3339_does_not_know_is_refused(string text) =>
        CloudEventHeaders.TryDecodeTime(Encoding.UTF8.GetBytes(text), out _).ShouldBeFalse();

    [Fact]
    public void Every_time_that_is_written_is_read()
    {
        var random = new Random(7);
        for (int i = 0; i < 10_000; i++)
        {
            long micros = random.NextInt64((DateTime.MaxValue.Ticks - TimeSpan.TicksPerSecond) / TimeSpan.TicksPerMicrosecond);
            var time = new DateTimeOffset(micros * TimeSpan.TicksPerMicrosecond, TimeSpan.Zero);
            CloudEventHeaders.TryDecodeTime(CloudEventHeaders.Encode(time), out DateTimeOffset read).ShouldBeTrue();
            read.ShouldBe(time);
        }
    }

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
        new KafkaConnection
        {
            BootstrapServers = "h:1",
            Settings = new Dictionary<string, string> { ["sasl.password"] = "hunter2", ["sasl.username"] = "me" },
        }
            .ToString().ShouldBe("Kafka h:1; sasl.password=***; sasl.username=me");

    [Theory]
    [InlineData("nowhere")]
    [InlineData("host:0")]
    [InlineData("host:99999")]
    [InlineData("good:9092,bad")]
    public void Connection_address_that_is_none_is_refused(string address) =>
        Should.Throw<InvalidInputException>(() => new KafkaConnection { BootstrapServers = address }.Validate()).Field.ShouldBe("Kafka");
}
