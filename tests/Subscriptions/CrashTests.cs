using System.Net.Http.Json;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Subscriptions.Tests;

/// <summary>A process that is killed between handling and the write of its position.</summary>
public sealed partial class CrashTests : IAsyncLifetime
{
    private static readonly string FaultyApplication = Path.Combine(AppContext.BaseDirectory, "KafkaEventSourcing.FaultyApplication.dll");

    private TestServers _servers = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _servers = await ServersOrSkip.Start(Cancellation);

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    [Fact]
    public async Task Event_whose_process_was_killed_while_its_batch_was_handled_is_handled_again_by_the_next_in_order()
    {
        if (!_servers.AreEmbedded)
            Assert.Skip("The program has a fixed name: another test run may use the same topics.");
        await using (ProgramRun killed = Start("one", hangsAt: "2"))
        {
            using HttpClient http = await Serving(killed);
            await Receive(http, "x");
            await killed.WaitForLineAsync(Handled(), Cancellation);
            await Receive(http, "x");
            (await killed.WaitForLineAsync(Handled(), Cancellation)).Value.ShouldBe("handled x 2.");
            await killed.KillAsync(Cancellation);
        }

        await using ProgramRun next = Start("two", hangsAt: "0");
        using HttpClient again = await Serving(next);
        await Receive(again, "x");
        // It may handle before it says where it serves, and that line was waited for already: all that it has printed counts.
        string[] versions;
        do
        {
            await next.WaitForLineAsync(Handled(), Cancellation);
            versions = [.. Handled().Matches(next.Output).Select(m => m.Value)];
        }
        while (!versions.Contains("handled x 3."));
        versions[^2..].ShouldBe(["handled x 2.", "handled x 3."]); // the first may come again too: its position may not have been written
        versions.Length.ShouldBeInRange(2, 3);
    }

    private static async Task Receive(HttpClient http, string goods)
    {
        using HttpResponseMessage answer = await http.PostAsJsonAsync($"/goods/{goods}/receive", new { amount = 1 }, Cancellation);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync(Cancellation));
    }

    private static async Task<HttpClient> Serving(ProgramRun program) =>
        new() { BaseAddress = new Uri((await program.WaitForLineAsync(ServesAt(), Cancellation)).Groups[1].Value) };

    private ProgramRun Start(string name, string hangsAt) => ProgramRun.Start("dotnet",
        [
            FaultyApplication, "run", "--http-port", "0", "--session-timeout", "6", "--partitions", "1", "--data",
            Path.Combine(_servers.Folder, name),
            "--kafka", _servers.Addresses.Kafka!, "--registry", _servers.Addresses.Registry!, "--mongodb", _servers.Addresses.MongoDB!,
        ],
        new Dictionary<string, string> { ["PLANTED_MAILER"] = hangsAt });

    [GeneratedRegex(@"serves at (http://\S+)")]
    private static partial Regex ServesAt();

    [GeneratedRegex(@"handled \w+ \d+\.")]
    private static partial Regex Handled();
}
