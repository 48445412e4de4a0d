using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>Paths and methods of the HTTP interface of <c>bank run</c>, from outside.</summary>
[Collection(nameof(RunningBankCollection))]
public sealed class HttpPathTests(RunningBank bank)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private HttpClient Http => bank.Http;

    [Theory]
    [InlineData("GET", "/account/a/credit", "/account/a/credit does not take GET; send POST.")]
    [InlineData("DELETE", "/account/a", "/account/a does not take DELETE; send GET.")]
    [InlineData("POST", "/models/accounts", "/models/accounts does not take POST; send GET.")]
    public async Task Method_that_a_path_does_not_take_is_405_and_says_which_it_takes(string method, string path, string detail)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        HttpResponseMessage answer = await Http.SendAsync(request, Cancellation);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        (await HttpTests.Problem(answer, HttpStatusCode.MethodNotAllowed, "method-not-allowed"))["detail"]!.GetValue<string>()
            .ShouldBe(detail);
    }

    [Fact]
    public async Task Path_that_there_is_not_is_404_and_says_where_to_look() =>
        (await HttpTests.Problem(await Http.GetAsync("/accounts", Cancellation), HttpStatusCode.NotFound,
            "no-such-path"))["detail"]!.GetValue<string>().ShouldContain("/docs");

    // "%ff" was kept as it stands, and so was the same id as "%25ff"; "%2F" was never a slash.
    [Theory]
    [InlineData("/account/%ff", "'%ff' in the URL is not UTF-8")]
    [InlineData("/account/a%ed%a0%80", "in the URL is not UTF-8")]
    [InlineData("/account/%zz", "'%zz' in the URL is not an escape")]
    [InlineData("/account/a%2", "'%2' in the URL is not an escape")]
    [InlineData("/models/movements?accountId=%ff", "'%ff' in the URL is not UTF-8")]
    public async Task Escape_that_is_none_is_400_and_names_it(string path, string detail)
    {
        // Written by hand: an HTTP client would mend the URL.
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, Http.BaseAddress!.Port, Cancellation);
        await using NetworkStream stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
            Cancellation);
        string answer = await new StreamReader(stream).ReadToEndAsync(Cancellation);
        answer.ShouldStartWith("HTTP/1.1 400 ");
        answer.ShouldContain("\"code\":\"invalid-input\"");
        JsonNode.Parse(answer[answer.IndexOf('{', StringComparison.Ordinal)..(answer.LastIndexOf('}') + 1)])!["detail"]!.GetValue<string>()
            .ShouldContain(detail);
    }
}
