using KafkaEventSourcing.Hosting.Http;

namespace KafkaEventSourcing.Hosting.Tests;

public sealed class RequestTargetTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("plain", "plain")]
    [InlineData("a%2fb%2Fc", "a/b/c")]
    [InlineData("%25ff", "%ff")]
    [InlineData("%e2%82%ac", "€")]
    [InlineData("1+1", "1+1")]
    public void TryUnescape_gives_what_was_escaped(string escaped, string plain)
    {
        RequestTarget.TryUnescape(escaped, out string? read, out _).ShouldBeTrue();
        read.ShouldBe(plain);
    }

    [Theory]
    [InlineData("%")]
    [InlineData("a%2")]
    [InlineData("%g0")]
    [InlineData("% 1")]
    [InlineData("%+1")]
    [InlineData("%ff")]
    [InlineData("%c0%af")]
    [InlineData("%ed%a0%80")]
    [InlineData("%e2%82x")]
    public void TryUnescape_refuses_what_is_no_escape_or_no_UTF8(string escaped)
    {
        RequestTarget.TryUnescape(escaped, out _, out string? error).ShouldBeFalse();
        error.ShouldContain("in the URL is not ");
    }
}
