using System.Text.Json.Nodes;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary><c>kes chaos</c> itself: it finds nothing where nothing is wrong, and it finds what was planted.</summary>
public sealed class ChaosTests : IDisposable
{
    private static readonly string Planted = Path.Combine(AppContext.BaseDirectory, "KafkaEventSourcing.Planted.dll");

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-chaos-test-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Built_in_application_is_found_right_under_fire()
    {
        ProgramRun run = await Chaos(bug: "", "--seed", "3", "--nodes", "2", "--duration", "6s", "--session-timeout", "2s", "--fault-every", "700ms", "--faults", "kill-node,freeze-node,cut-kafka,cut-mongo-db,kill-servers");
        run.ExitCode.ShouldBe(0, run.Output);
        run.Output.ShouldContain("seed 3: ");
        run.Output.ShouldContain(": no violation");
        run.Output.ShouldContain("held calls up for");
        string files = Path.Combine(_folder, "seed-3");
        (await File.ReadAllTextAsync(Path.Combine(files, "verdict.txt"), Cancellation)).ShouldContain("purse: ");
        (await File.ReadAllLinesAsync(Path.Combine(files, "faults.txt"), Cancellation)).ShouldNotBeEmpty();
        string[] calls = await File.ReadAllLinesAsync(Path.Combine(files, "history.jsonl"), Cancellation);
        calls.Length.ShouldBeGreaterThan(20);
        JsonNode.Parse(calls[0])!["caller"]!.GetValue<string>().ShouldStartWith("caller ");
        (await File.ReadAllLinesAsync(Path.Combine(files, "events.jsonl"), Cancellation)).ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("decide", "goods history: Decision, aggregate s1-goods-")]
    [InlineData("fold", "goods history: ")] // a read that is not the fold of its events, or a decision on it, whichever comes first
    public async Task Planted_bug_is_found_with_a_timeline(string bug, string verdict)
    {
        ProgramRun run = await Chaos(bug, "--seed", "1", "--nodes", "1", "--duration", "3s", "--faults", "freeze-node", "--fault-every", "1h", "--pause", "5ms", "--", "dotnet", Planted, "run");
        run.ExitCode.ShouldBe(1, run.Output);
        run.Output.ShouldContain(verdict);
        run.Output.ShouldContain("> log ");
        (await File.ReadAllTextAsync(Path.Combine(_folder, "seed-1", "verdict.txt"), Cancellation)).ShouldContain("VIOLATION goods history");
    }

    [Fact]
    public async Task Plan_is_printed_and_wrong_usage_is_2()
    {
        ProgramRun one = await Chaos("", "--seed", "42", "--plan");
        ProgramRun two = await Chaos("", "--seed", "42", "--plan");
        one.ExitCode.ShouldBe(0, one.Output);
        one.Output.ShouldContain("cut-kafka      node-3");
        one.Output.ShouldBe(two.Output);
        (await Chaos("", "--faults", "earthquake")).ExitCode.ShouldBe(2);
        (await Chaos("", "--nodes", "0")).ExitCode.ShouldBe(2);
        (await Chaos("", "--duration", "soon")).ExitCode.ShouldBe(2);
        ProgramRun nothing = await Chaos("", "--", "no-such-program");
        nothing.ExitCode.ShouldBe(2, nothing.Output);
        nothing.Output.ShouldContain("No .NET assembly");
    }

    private Task<ProgramRun> Chaos(string bug, params string[] arguments) =>
        ProgramRun.Finish("dotnet", [Programs.Kes, "chaos", "--output", _folder, .. arguments], new Dictionary<string, string> { ["PLANTED"] = bug, ["DOTNET_EnableDiagnostics"] = "0" }, Cancellation);
}
