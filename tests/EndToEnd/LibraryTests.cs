using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>
/// The library of the samples is as short as it says, and a program that works outside of this repository, from packages alone.
/// </summary>
public sealed partial class LibraryTests(PackageFeed feed)
{
    private const string Project = """
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
            <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
          </PropertyGroup>
          <ItemGroup>
            <FrameworkReference Include="Microsoft.AspNetCore.App" />
            <PackageReference Include="KafkaEventSourcing.Hosting.CommandLine" Version="0.2.0" />
            <PackageReference Include="KafkaEventSourcing.Hosting.Embedded" Version="0.2.0" />
          </ItemGroup>
        </Project>
        """;

    private readonly string _folder = feed.NewFolder("Library");

    private static string Sample { get; } = Path.Combine(Programs.Root, "samples", "Library");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Program => Path.Combine(_folder, "bin", "Release", "net10.0", "Library.dll");

    [Fact]
    public void Ten_commands_and_four_read_models_are_less_than_150_lines_without_a_cast()
    {
        string[] lines = [.. Directory.GetFiles(Sample, "*.cs").SelectMany(File.ReadAllLines)];
        lines.Length.ShouldBeLessThan(150);
        lines.Max(l => l.Length).ShouldBeLessThanOrEqualTo(140);
        string code = string.Join('\n', lines);
        Regex.Count(code, @"\.Decides<").ShouldBe(10);
        Regex.Count(code, @"ProjectionDefinition\.Define<").ShouldBe(4);
        Cast().Matches(code).Select(m => m.Value).ShouldBeEmpty();
    }

    [Fact]
    public async Task Library_builds_from_packages_lends_and_takes_back()
    {
        foreach (string file in Directory.GetFiles(Sample, "*.cs").Concat(Directory.GetFiles(Path.Combine(Sample, "schemas"), "*.avsc")))
            File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
        await File.WriteAllTextAsync(Path.Combine(_folder, "Library.csproj"), Project, Cancellation);
        await feed.Dotnet(Cancellation, "build", "-c", "Release", _folder);
        await using ProgramRun program = ProgramRun.Start("dotnet",
            [Program, "run", "--http-port", "0", "--data", Path.Combine(_folder, "data")], null);
        using var http = new HttpClient
        {
            BaseAddress = new Uri((await program.WaitForLineAsync(ServesAt(), Cancellation)).Groups[1].Value),
        };

        await Send(http, "member/ada/register-member", new { name = "Ada" });
        await Send(http, "copy/c1/acquire-copy", new { title = "Middlemarch", author = "Eliot" });
        await Send(http, "copy/c1/lend-copy", new { member = "ada", due = "2026-03-01" });
        await Send(http, "copy/c1/reserve-copy", new { member = "bob" });
        (await Refused(http, "copy/c1/renew-loan", new { due = "2026-04-01" })).ShouldBe("reserved");
        await Send(http, "copy/c1/cancel-reservation", new { });
        await Send(http, "copy/c1/renew-loan", new { due = "2026-04-01" });
        string returned = await Send(http, "copy/c1/return-copy", new { on = "2026-04-03" });
        await Send(http, "copy/c2/acquire-copy", new { title = "Adam Bede", author = "Eliot" });
        string withdrawn = await Send(http, "copy/c2/withdraw-copy", new { reason = "torn" });
        await Send(http, "member/ada/charge-fine", new { cents = 40 });
        (await Refused(http, "member/ada/pay-fine", new { cents = 41 })).ShouldBe("invalid-payment");
        string paid = await Send(http, "member/ada/pay-fine", new { cents = 15 });

        (await Get(http, $"copy/c1?token={returned}"))["state"]!["status"]!.GetValue<string>().ShouldBe("Available");
        JsonArray catalogue = (await Get(http,
            $"models/catalogue?author=Eliot&token=copy:{returned},copy:{withdrawn}"))["documents"]!.AsArray();
        catalogue.Select(c => (c!["_id"]!.GetValue<string>(), c["title"]!.GetValue<string>(), c["status"]!.GetValue<string>())).ShouldBe(
            [("c1", "Middlemarch", "Available")]);
        JsonNode account = await Get(http, $"models/accounts/ada?token=copy:{returned},member:{paid}");
        (account["name"]!.GetValue<string>(), account["loans"]!.GetValue<int>(), account["owes"]!.GetValue<long>()).ShouldBe(
            ("Ada", 0, 25L));
        JsonNode loan = (await Get(http, $"models/past_loans?member=ada&token=copy:{returned}"))["documents"]!.AsArray().Single()!;
        (loan["copy"]!.GetValue<string>(), loan["daysLate"]!.GetValue<int>()).ShouldBe(("c1", 2));
        JsonArray days = (await Get(http, $"models/busy_days?token=copy:{returned}"))["documents"]!.AsArray();
        (days.Sum(d => d!["lent"]!.GetValue<int>()), days.Sum(d => d!["returned"]!.GetValue<int>())).ShouldBe((1, 1));

        (await program.TerminateAsync(Cancellation)).ShouldBe(0);
        ProgramRun verified = await ProgramRun.FinishAsync("dotnet", [Program, "verify", "--data", Path.Combine(_folder, "data")], null,
            Cancellation);
        verified.ExitCode.ShouldBe(0, verified.Output);
    }

    // The token of a command that took effect. What has no outcome in time, as on a busy machine, is sent again under its id.
    private static async Task<string> Send(HttpClient http, string path, object command)
    {
        using HttpResponseMessage answer = await Post(http, path, command);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK, await answer.Content.ReadAsStringAsync(Cancellation));
        return Uri.EscapeDataString(answer.Headers.GetValues("X-Consistency-Token").Single());
    }

    private static async Task<string> Refused(HttpClient http, string path, object command)
    {
        using HttpResponseMessage answer = await Post(http, path, command);
        answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        return (await answer.Content.ReadFromJsonAsync<JsonNode>(Cancellation))!["code"]!.GetValue<string>();
    }

    private static Task<HttpResponseMessage> Post(HttpClient http, string path, object command)
    {
        string id = Guid.CreateVersion7().ToString();
        return UntilItIsThere(() =>
        {
            var request = new HttpRequestMessage(HttpMethod.Post, $"/{path}") { Content = JsonContent.Create(command) };
            request.Headers.Add("Idempotency-Key", id);
            return http.SendAsync(request, Cancellation);
        });
    }

    private static async Task<JsonNode> Get(HttpClient http, string path)
    {
        using HttpResponseMessage answer = await UntilItIsThere(() => http.GetAsync($"/{path}", Cancellation));
        answer.StatusCode.ShouldBe(HttpStatusCode.OK, $"{path}: {await answer.Content.ReadAsStringAsync(Cancellation)}");
        return (await answer.Content.ReadFromJsonAsync<JsonNode>(Cancellation))!;
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

    // A type in parentheses before a value, or what does the same; also what a user should not have to know.
    [GeneratedRegex(@"\(\w+(<\w+>)?[?!]?\)[A-Za-z_(""$]|\bas \w|\bobject\b|\bdynamic\b|Avro\.Messages|\w!\.|\w! ")]
    private static partial Regex Cast();

    [GeneratedRegex(@"serves at (http://\S+)")]
    private static partial Regex ServesAt();
}
