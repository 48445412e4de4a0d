using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>A bank, its servers with it, whose heap is limited. <c>KES_MEMORY_COMMANDS</c> makes the run longer.</summary>
public sealed partial class MemoryTests : IAsyncDisposable
{
    private const int Characters = 880_000;
    private const string HeapLimit = "14000000"; // 320 MiB, in hexadecimal digits as the runtime reads it
    private const long BesideTheHeap = 224; // MiB, of the native libraries; 100 to 130 are used

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-memory-").FullName;
    private ProgramRun? _bank;

    private static int Commands =>
        int.TryParse(Environment.GetEnvironmentVariable("KES_MEMORY_COMMANDS"), CultureInfo.InvariantCulture, out int commands)
            ? commands
            : 120;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        if (_bank is not null)
            await _bank.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    // Each command, its state and its document stayed in memory: a node grew by 5 MB a command, and its container was killed before the
    // 200th. What stays in the heap ends at its limit and fails a command; what stays beside it is measured.
    [Fact]
    public async Task Large_commands_one_after_the_other_are_all_taken_in_a_limited_heap_and_memory_beside_it_is_bounded()
    {
        _bank = ProgramRun.Start("dotnet",
            [Programs.Bank, "run", "--http-port", "0", "--kafka-port", "0", "--registry-port", "0", "--mongodb-port", "0", "--data",
                Path.Combine(_folder, "data")],
            new Dictionary<string, string> { ["DOTNET_GCHeapHardLimit"] = HeapLimit });
        using var http = new HttpClient
        {
            BaseAddress = new Uri((await _bank.WaitForLineAsync(ServesLine(), Cancellation)).Groups[1].Value),
            Timeout = TimeSpan.FromMinutes(2),
        };
        string owner = new('x', Characters);
        for (int i = 0; i < Commands; i++)
            await Open(http, $"a{i}", owner);

        if (OperatingSystem.IsLinux())
        {
            long heap = Convert.ToInt64(HeapLimit, 16) >> 20;
            long peak = Status("VmHWM");
            long files = Status("RssFile");
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{Commands} commands of {Characters:N0} bytes; at most {peak} MiB resident, {files} MiB of them files, "
                    + $"heap limit {heap} MiB");
            (peak - files).ShouldBeLessThan(heap + BesideTheHeap);
        }

        (await http.GetAsync("/health/ready", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    // What is refused for want of room is sent again under its id, as callers are asked to.
    private static async Task Open(HttpClient http, string account, string owner)
    {
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"/account/{account}/open-account")
            {
                Content = JsonContent.Create(new { owner, currency = "EUR", overdraftLimit = 0, openedOn = "2026-01-31" }),
            };
            request.Headers.Add("Idempotency-Key", $"open-{account}");
            using HttpResponseMessage answer = await http.SendAsync(request, Cancellation);
            if (answer.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout)
                continue;
            answer.StatusCode.ShouldBe(HttpStatusCode.OK, await answer.Content.ReadAsStringAsync(Cancellation));
            return;
        }
    }

    // of the process, in MiB
    private long Status(string name) => long.Parse(
        File.ReadLines($"/proc/{_bank!.Id}/status").Single(l => l.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 1)..^2],
        CultureInfo.InvariantCulture) / 1024;

    [GeneratedRegex(@"serves at (http://\S+:\d+)")]
    private static partial Regex ServesLine();
}
