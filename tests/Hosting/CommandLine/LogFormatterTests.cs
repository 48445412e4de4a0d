using System.Globalization;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Hosting.CommandLine;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Hosting.Tests.CommandLine;

/// <summary>Lines of the log, with what callers and servers have put into them.</summary>
public sealed class LogFormatterTests
{
    private const string Time = "2026-03-01T07:08:09.010Z";

    // A line had the time of day alone.
    [Fact]
    public void Line_has_the_day_the_level_and_the_category() =>
        Write(LogFormatter.Text, "it serves").ShouldBe($"{Time} warn: App.Node: it serves{Environment.NewLine}");

    // A caller wrote lines of his own into the log, with whatever he liked to have in them.
    [Fact]
    public void Text_of_a_caller_begins_no_line_and_moves_no_cursor() =>
        Write(LogFormatter.Text, $"'a\r\n{Time} crit: App.Node: all is lost\u001b[2J' is refused").ShouldBe(
            $@"{Time} warn: App.Node: 'a\r\n{Time} crit: App.Node: all is lost\u001b[2J' is refused{Environment.NewLine}");

    [Theory]
    [InlineData(LogFormatter.Text)]
    [InlineData(LogFormatter.Json)]
    public void Failure_is_in_the_same_line_bounded_and_without_passwords(string format)
    {
        var failure = new InvalidOperationException($"no answer of http://ada:hidden@registry:8081{new string('x', 1_000_000)}");
        string line = Write(format, "mongodb://bob:hidden@store/ is away", failure);
        line.TrimEnd().ShouldNotContain('\n');
        line.Length.ShouldBeLessThan(20_000);
        line.ShouldNotContain("hidden");
        line.ShouldContain("mongodb://bob:***@store/ is away");
        line.ShouldContain("no answer of http://ada:***@registry:8081");
    }

    [Fact]
    public void Json_is_one_object_a_line_with_the_text_as_it_is()
    {
        string line = Write(LogFormatter.Json, "a\r\nb \u001b[2J", new InvalidOperationException("broken"));
        line.TrimEnd().ShouldNotContain('\n');
        line.ShouldNotContain('\u001b');
        JsonObject read = JsonNode.Parse(line)!.AsObject();
        read.Select(p => p.Key).ShouldBe(["time", "level", "category", "message", "exception"]);
        read["time"]!.GetValue<string>().ShouldBe(Time);
        read["level"]!.GetValue<string>().ShouldBe("warning");
        read["category"]!.GetValue<string>().ShouldBe("App.Node");
        read["message"]!.GetValue<string>().ShouldBe("a\r\nb \u001b[2J");
        read["exception"]!.GetValue<string>().ShouldContain("InvalidOperationException: broken");
    }

    private static string Write(string format, string message, Exception? failure = null)
    {
        using var line = new StringWriter(CultureInfo.InvariantCulture);
        new LogFormatter(new FixedTime(), format).Write(
            new LogEntry<string>(LogLevel.Warning, "App.Node", default, message, failure, (state, _) => state), null, line);
        return line.ToString();
    }

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 3, 1, 7, 8, 9, 10, TimeSpan.Zero);
    }
}
