using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>The tutorial's files, taken from its text, are a program that works.</summary>
public sealed partial class TutorialTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-tutorial-").FullName;

    private string Program => Path.Combine(_folder, "bin", "Release", "net10.0", "Stock.dll");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Tutorial_code_builds_runs_and_answers_as_it_says()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await WriteFiles(cancellation);
        ProgramRun build = await ProgramRun.Finish("dotnet", ["build", "-c", "Release", "--no-dependencies", _folder], null, cancellation); // this repository is built already
        build.ExitCode.ShouldBe(0, build.Output);

        await using ProgramRun program = ProgramRun.Start("dotnet", [Program, "run", "--http-port", "0", "--data", Path.Combine(_folder, "data")]);
        string url = (await program.WaitForLine(ServesAt(), cancellation)).Groups[1].Value;
        using var http = new HttpClient { BaseAddress = new Uri(url) };

        (await Send(http, "receive-goods", new { quantity = 10 }, cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        HttpResponseMessage shipped = await Send(http, "ship-goods", new { quantity = 3, customer = "Ada" }, cancellation);
        shipped.StatusCode.ShouldBe(HttpStatusCode.OK);
        string token = shipped.Headers.GetValues("X-Consistency-Token").Single();
        (await http.GetFromJsonAsync<JsonObject>("/item/bolts", cancellation))!["state"]!["onHand"]!.GetValue<long>().ShouldBe(7);
        using HttpResponseMessage found = await UntilItIsThere(() => http.GetAsync($"/models/stock_levels/bolts?token={Uri.EscapeDataString(token)}", cancellation));
        JsonObject level = (await found.Content.ReadFromJsonAsync<JsonObject>(cancellation))!;
        level["onHand"]!.GetValue<long>().ShouldBe(7);
        level["shipped"]!.GetValue<long>().ShouldBe(3);

        HttpResponseMessage refused = await Send(http, "ship-goods", new { quantity = 8, customer = "Bob" }, cancellation);
        refused.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        JsonObject problem = (await refused.Content.ReadFromJsonAsync<JsonObject>(cancellation))!;
        problem["code"]!.GetValue<string>().ShouldBe("out-of-stock");
        problem["details"]!["onHand"]!.GetValue<string>().ShouldBe("7");

        (await program.Terminate(cancellation)).ShouldBe(0);
        ProgramRun verified = await ProgramRun.Finish("dotnet", [Program, "verify", "--data", Path.Combine(_folder, "data")], null, cancellation);
        verified.ExitCode.ShouldBe(0, verified.Output);
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
        files.Count.ShouldBe(9);
        foreach (Match file in files)
        {
            string content = file.Groups[2].Value.Replace("../KafkaEventSourcing/", Programs.Root + Path.DirectorySeparatorChar, StringComparison.Ordinal);
            await File.WriteAllTextAsync(Path.Combine(_folder, file.Groups[1].Value), content, cancellation);
        }
    }

    [GeneratedRegex(@"[Ff]ile `([^`]+)`[.:]*\s+```\w+\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex FileBlock();

    [GeneratedRegex(@"serves at (http://\S+)")]
    private static partial Regex ServesAt();
}
