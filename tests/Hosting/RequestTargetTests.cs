using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;

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

    // Behind a proxy that takes a prefix off the path, which the application then sets as its base, the command's name was taken for the
    // id: a credit to 'a' went to the account 'credit'. A server in memory, as tests have it, answered 500.
    [Theory]
    [InlineData("/bank/account/a%2Fb/credit", "", "/bank/account/a%2Fb/credit", "a%2Fb", "a/b")]
    [InlineData("/bank/account/a%252Fb/credit?x=/", "", "/bank/account/a%2Fb/credit", "a%2Fb", "a%2Fb")]
    [InlineData("/shop/bank/account/a/credit", "/shop", "/bank/account/a/credit", "a", "a")]
    [InlineData("/bank/account/a/credit", "/shop", "/bank/account/a/credit", "a", "a")]
    [InlineData("/bank/account/a%2Fb/credit", "/shop/here", "/bank/account/a%2Fb/credit", "a%2Fb", "a/b")]
    [InlineData("/old/ways/to/credit/a", "", "/bank/account/a/credit", "a", "a")]
    [InlineData("/a", "", "/bank/account/a/credit", "a", "a")]
    [InlineData("", "", "/bank/account/a/credit", "a", "a")]
    [InlineData(null, "", "/bank/account/a/credit", "a", "a")]
    public void ReadId_gives_the_id_that_was_escaped_whatever_is_before_the_routes(
        string? target, string pathBase, string path, string routed, string id)
    {
        var context = new DefaultHttpContext();
        context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = target!;
        (context.Request.PathBase, context.Request.Path) = (pathBase, path);
        context.Request.RouteValues["id"] = routed;
        context.SetEndpoint(new RouteEndpoint(_ => Task.CompletedTask, RoutePatternFactory.Parse("/bank/account/{id}/credit"), 0, null,
            "credit"));
        RequestTarget.Check(context);
        RequestTarget.ReadId(context);
        context.Request.RouteValues["id"].ShouldBe(id);
    }
}
