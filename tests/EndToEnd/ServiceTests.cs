using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary><c>bank run</c> as a service behind a load balancer: from its first moment to its last.</summary>
public sealed partial class ServiceTests : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-service-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // There was no HTTP at all until everything was up.
    [Fact]
    public async Task Node_that_waits_for_its_servers_is_live_says_what_it_waits_for_and_ends_in_order_when_asked()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        string address = silent.LocalEndpoint.ToString()!;
        await using ProgramRun node = Start("--kafka", address, "--registry", $"http://{address}", "--mongodb", $"mongodb://{address}/");
        using HttpClient http = await Listening(node);
        using Socket asked = await silent.AcceptSocketAsync(Cancellation); // it has begun, and nobody will answer
        (await http.GetAsync("/health/live", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await http.GetAsync("/metrics", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        HttpResponseMessage ready = await http.GetAsync("/health/ready", Cancellation);
        ready.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        JsonNode report = (await ready.Content.ReadFromJsonAsync<JsonNode>(Cancellation))!;
        report["status"]!.GetValue<string>().ShouldBe("not-ready");
        report["phase"]!.GetValue<string>().ShouldContain("asking Kafka");
        HttpResponseMessage command = await http.PostAsJsonAsync("/account/a/close-account", new { }, Cancellation);
        command.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        command.Headers.RetryAfter.ShouldNotBeNull();
        (await command.Content.ReadAsStringAsync(Cancellation)).ShouldContain("asking Kafka");

        (await node.TerminateAsync(Cancellation)).ShouldBe(0, node.Output);
        node.Output.ShouldNotContain("This should not have happened");
    }

    // The listener was closed at once, and whoever was sent there meanwhile was refused.
    [Fact]
    public async Task Balancer_that_looks_once_a_second_sends_no_request_to_a_closed_port()
    {
        await using ProgramRun node = Start("--drain", "4");
        using HttpClient http = await Listening(node);
        await node.WaitForLineAsync(ServesAt(), Cancellation);
        (await Open(http)).StatusCode.ShouldBe(HttpStatusCode.OK);
        using var balanced = new CancellationTokenSource();
        int answered = 0;
        var refused = new List<string>();
        Task load = Task.Run(
            async () =>
            {
                while (!balanced.IsCancellationRequested)
                {
                    // As a proxy without a pool does it: whatever connection is refused is seen.
                    using var fresh = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero })
                    {
                        BaseAddress = http.BaseAddress,
                    };
                    try
                    {
                        (await fresh.GetAsync("/account/a", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
                        answered++;
                    }
                    catch (HttpRequestException failed)
                    {
                        refused.Add(failed.Message);
                    }
                }
            },
            Cancellation);
        Task<int> ended = node.TerminateAsync(Cancellation);
        using (var everySecond = new PeriodicTimer(TimeSpan.FromSeconds(1), TimeProvider.System))
        {
            while ((await http.GetAsync("/health/ready", Cancellation)).StatusCode == HttpStatusCode.OK)
                await everySecond.WaitForNextTickAsync(Cancellation);
        }

        int before = answered;
        (await Open(http)).StatusCode.ShouldBe(HttpStatusCode.OK); // who comes still is served
        await balanced.CancelAsync();
        await load;
        refused.ShouldBeEmpty();
        before.ShouldBeGreaterThan(0);
        (await ended).ShouldBe(0, node.Output);
    }

    [Fact]
    public async Task Second_signal_ends_the_drain()
    {
        await using ProgramRun node = Start("--drain", "3600");
        using HttpClient http = await Listening(node);
        await node.WaitForLineAsync(ServesAt(), Cancellation);
        await node.SignalAsync("TERM", Cancellation);
        using (var timer = new PeriodicTimer(Look, TimeProvider.System))
        {
            while ((await http.GetAsync("/health/ready", Cancellation)).StatusCode == HttpStatusCode.OK)
                await timer.WaitForNextTickAsync(Cancellation);
        }

        (await http.GetFromJsonAsync<JsonNode>("/health/live", Cancellation))!["status"]!.GetValue<string>().ShouldBe("live");
        (await node.TerminateAsync(Cancellation)).ShouldBe(0, node.Output);
    }

    private ProgramRun Start(params string[] options) =>
        ProgramRun.Start("dotnet", [Programs.Bank, "run", "--http-port", "0", "--data", Path.Combine(_folder, "data"), .. options]);

    private static async Task<HttpClient> Listening(ProgramRun node) =>
        new() { BaseAddress = new Uri((await node.WaitForLineAsync(ListensAt(), Cancellation)).Groups[1].Value) };

    private static Task<HttpResponseMessage> Open(HttpClient http)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/account/a/open-account")
        {
            Content = JsonContent.Create(new { owner = "Ada", currency = "EUR", overdraftLimit = 0, openedOn = "2026-01-31" }),
        };
        request.Headers.Add("Idempotency-Key", "open");
        return http.SendAsync(request, Cancellation);
    }

    [GeneratedRegex(@"listens at (http://\S+)")]
    private static partial Regex ListensAt();

    [GeneratedRegex(@"serves at (http://\S+)")]
    private static partial Regex ServesAt();
}
