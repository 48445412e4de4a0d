using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>The tutorial's files, taken from its text, are a program that works outside of this repository, from packages alone.</summary>
public sealed partial class TutorialTests(PackageFeed feed)
{
    private readonly string _folder = feed.NewFolder(Path.Combine(Guid.CreateVersion7().ToString("N"), "Stock"));

    // The repository's own programs know no culture but the invariant one; those of users have their own, where "I" and "i" may be
    // different letters.
    private static Dictionary<string, string> OfAnotherCulture { get; } = new() { ["LANG"] = "tr_TR.UTF-8", ["LC_ALL"] = "tr_TR.UTF-8" };

    private string Program => Path.Combine(_folder, "bin", "Release", "net10.0", "Stock.dll");

    [Fact]
    public async Task Tutorial_code_builds_runs_and_answers_as_it_says()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await WriteFiles(cancellation);
        await feed.Dotnet(cancellation, "build", "-c", "Release", _folder);
        Directory.GetDirectories(feed.Restored).Select(Path.GetFileName).ShouldContain("kafkaeventsourcing.hosting.embedded",
            "The packages came from elsewhere.");

        await using ProgramRun program = ProgramRun.Start("dotnet",
            [Program, "run", "--http-port", "0", "--data", Path.Combine(_folder, "data")], OfAnotherCulture);
        string url = (await program.WaitForLineAsync(ServesAt(), cancellation)).Groups[1].Value;
        using var http = new HttpClient { BaseAddress = new Uri(url) };

        (await Send(http, "receive-goods", new { quantity = 10 }, cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        HttpResponseMessage shipped = await Send(http, "ship-goods", new { quantity = 3, customer = "Ada" }, cancellation);
        shipped.StatusCode.ShouldBe(HttpStatusCode.OK);
        string token = shipped.Headers.GetValues("X-Consistency-Token").Single();
        (await http.GetFromJsonAsync<JsonObject>("/item/bolts", cancellation))!["state"]!["onHand"]!.GetValue<long>().ShouldBe(7);
        using HttpResponseMessage found = await UntilItIsThere(() =>
            http.GetAsync($"/models/stock_levels/bolts?token={Uri.EscapeDataString(token)}", cancellation));
        JsonObject level = (await found.Content.ReadFromJsonAsync<JsonObject>(cancellation))!;
        level["onHand"]!.GetValue<long>().ShouldBe(7);
        level["shipped"]!.GetValue<long>().ShouldBe(3);

        HttpResponseMessage refused = await Send(http, "ship-goods", new { quantity = 8, customer = "Bob" }, cancellation);
        refused.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        JsonObject problem = (await refused.Content.ReadFromJsonAsync<JsonObject>(cancellation))!;
        problem["code"]!.GetValue<string>().ShouldBe("out-of-stock");
        problem["details"]!["onHand"]!.GetValue<string>().ShouldBe("7");

        (await program.TerminateAsync(cancellation)).ShouldBe(0);
        ProgramRun verified = await ProgramRun.FinishAsync("dotnet", [Program, "verify", "--data", Path.Combine(_folder, "data")],
            OfAnotherCulture, cancellation);
        verified.ExitCode.ShouldBe(0, verified.Output);
    }

    // Its snippet did not compile, and answered nothing but 500 and 404 where it was pasted.
    [Fact]
    public async Task Program_of_a_host_of_ones_own_builds_runs_and_answers()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await WriteFiles(cancellation);
        string project = Path.Combine(_folder, "Stock.csproj");
        await File.WriteAllTextAsync(project, (await File.ReadAllTextAsync(project, cancellation))
            .Replace("Microsoft.NET.Sdk", "Microsoft.NET.Sdk.Web", StringComparison.Ordinal)
            .Replace("KafkaEventSourcing.Hosting.CommandLine", "KafkaEventSourcing.Hosting.AspNetCore", StringComparison.Ordinal)
            // as 'dotnet new web' makes it
            .Replace("""<FrameworkReference Include="Microsoft.AspNetCore.App" />""", "", StringComparison.Ordinal), cancellation);
        Match host = FileBlock().Matches(await File.ReadAllTextAsync(Path.Combine(Programs.Root, "docs", "hosting.md"), cancellation))
            .ShouldHaveSingleItem();
        await File.WriteAllTextAsync(Path.Combine(_folder, host.Groups[1].Value), host.Groups[2].Value, cancellation);
        await feed.Dotnet(cancellation, "build", "-c", "Release", _folder);

        await using ProgramRun program = ProgramRun.Start("dotnet", [Program], new Dictionary<string, string>
        {
            ["ASPNETCORE_URLS"] = "http://127.0.0.1:0", ["KafkaEventSourcing__DataDirectory"] = Path.Combine(_folder, "data"),
            ["KafkaEventSourcing__Drain"] = "00:00:00",
        });
        using var http = new HttpClient
        {
            BaseAddress = new Uri((await program.WaitForLineAsync(ListensAt(), cancellation)).Groups[1].Value),
        };
        await program.WaitForLineAsync(ServesOn(), cancellation); // where embedded servers listen was in no line

        HttpResponseMessage delivered = await http.PostAsync("/deliveries/bolts?quantity=5", null, cancellation);
        delivered.StatusCode.ShouldBe(HttpStatusCode.OK, await delivered.Content.ReadAsStringAsync(cancellation));
        string token = (await delivered.Content.ReadFromJsonAsync<JsonObject>(cancellation))!["token"]!.GetValue<string>();
        (await http.GetStringAsync("/on-hand/bolts", cancellation)).ShouldBe("5");
        (await http.GetAsync("/on-hand/nuts", cancellation)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await http.GetStringAsync("/health/ready", cancellation)).ShouldBe("Healthy");
        (await http.GetFromJsonAsync<JsonObject>("/stock/item/bolts", cancellation))!["state"]!["onHand"]!.GetValue<long>().ShouldBe(5);
        using HttpResponseMessage level = await UntilItIsThere(() =>
            http.GetAsync($"/stock/models/stock_levels/bolts?token={Uri.EscapeDataString(token)}", cancellation));
        level.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await program.TerminateAsync(cancellation)).ShouldBe(0);
    }

    // As callers are asked to: what has no outcome in time, as on a busy machine, is sent again under its id.
    private static Task<HttpResponseMessage> Send(HttpClient http, string command, object body, CancellationToken cancellation)
    {
        string id = Guid.CreateVersion7().ToString();
        return UntilItIsThere(() =>
        {
            var request = new HttpRequestMessage(HttpMethod.Post, $"/item/bolts/{command}") { Content = JsonContent.Create(body) };
            request.Headers.Add("Idempotency-Key", id);
            return http.SendAsync(request, cancellation);
        });
    }

    // The node itself waits before it answers so.
    private static async Task<HttpResponseMessage> UntilItIsThere(Func<Task<HttpResponseMessage>> ask)
    {
        while (true)
        {
            HttpResponseMessage answer = await ask();
            if (answer.StatusCode is not (HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout))
                return answer;
            answer.Dispose();
        }
    }

    // "File `Name`" announces a file; the next fenced block is its content.
    private async Task WriteFiles(CancellationToken cancellation)
    {
        string text = await File.ReadAllTextAsync(Path.Combine(Programs.Root, "docs", "tutorial.md"), cancellation);
        MatchCollection files = FileBlock().Matches(text);
        files.Count.ShouldBe(10);
        foreach (Match file in files)
            await File.WriteAllTextAsync(Path.Combine(_folder, file.Groups[1].Value), file.Groups[2].Value, cancellation);
        File.Delete(Path.Combine(_folder, "nuget.config")); // the feed's own, above it, holds
    }

    [GeneratedRegex(@"[Ff]ile `([^`]+)`[.:]*\s+```\w+\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex FileBlock();

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex ListensAt();

    [GeneratedRegex(@"stock serves, on Kafka 127\.0\.0\.1:\d+, Schema Registry http://\S+, MongoDB mongodb://\S+")]
    private static partial Regex ServesOn();

    [GeneratedRegex(@"serves at (http://\S+)")]
    private static partial Regex ServesAt();
}
