using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary><c>kes-chaos</c> itself: it finds nothing where nothing is wrong, and it finds what was planted.</summary>
public sealed partial class ChaosTests : IDisposable
{
    private static readonly string FaultyApplication = Path.Combine(AppContext.BaseDirectory, "KafkaEventSourcing.FaultyApplication.dll");

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-chaos-test-").FullName;

    // For a machine that is busy; nothing waits so long on one that is not.
    private const string Patience = "3m";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Built_in_application_is_found_right_under_fire()
    {
        ProgramRun run = await Chaos(bug: "", "--seed", "3", "--nodes", "2", "--duration", "6s", "--calls", "60", "--session-timeout", "2s",
            "--fault-every", "700ms", "--faults", "kill-node,freeze-node,cut-kafka,cut-mongo-db,kill-servers");
        run.ExitCode.ShouldBe(0, run.Output);
        run.Output.ShouldContain("seed 3: ");
        run.Output.ShouldContain(": no violation");
        run.Output.ShouldContain("held calls up for");
        string files = Path.Combine(_folder, "seed-3");
        (await File.ReadAllTextAsync(Path.Combine(files, "verdict.txt"), Cancellation)).ShouldContain("wallet: ");
        (await File.ReadAllLinesAsync(Path.Combine(files, "faults.txt"), Cancellation)).ShouldNotBeEmpty();
        string[] calls = await File.ReadAllLinesAsync(Path.Combine(files, "history.jsonl"), Cancellation);
        calls.Length.ShouldBeGreaterThan(20);
        JsonNode.Parse(calls[0])!["caller"]!.GetValue<string>().ShouldStartWith("caller ");
        (await File.ReadAllLinesAsync(Path.Combine(files, "events.jsonl"), Cancellation)).ShouldNotBeEmpty();
    }

    // What is planted, and what must be said of it. KES_PLANTED_BUGS=all: the others too.
    public static TheoryData<string, string> Planted()
    {
        // A read that is not the fold of its events, or a decision on it, whichever comes first.
        var planted = new TheoryData<string, string> { { "fold", "goods history: " } };
        if (Environment.GetEnvironmentVariable("KES_PLANTED_BUGS") == "all")
            planted.Add("decide", "goods history: Decision, aggregate s1-goods-");
        return planted;
    }

    // So many calls, however long they take: a busy machine made too few in three seconds for the bug to show.
    [Theory]
    [MemberData(nameof(Planted))]
    public async Task Planted_bug_is_found_with_a_timeline(string bug, string verdict)
    {
        ProgramRun run = await Chaos(bug, "--seed", "1", "--nodes", "1", "--duration", "1s", "--calls", "600", "--faults", "freeze-node",
            "--fault-every", "1h", "--pause", "5ms", "--", "dotnet", FaultyApplication, "run");
        run.ExitCode.ShouldBe(1, run.Output);
        run.Output.ShouldContain(verdict);
        run.Output.ShouldContain("> log ");
        (await File.ReadAllTextAsync(Path.Combine(_folder, "seed-1", "verdict.txt"), Cancellation)).ShouldContain(
            "VIOLATION goods history");
    }

    // What nodes restore from is wrong: the mark of snapshots says more than there is, or the streams fold wrongly. KES_PLANTED_BUGS=all.
    [Theory]
    [InlineData("early-marks", "goods history: ", "the streams have read version")]
    [InlineData("fold-of-streams", "goods history: ", "has the state")]
    public async Task Planted_bug_of_streams_that_nodes_restore_from_is_found(string bug, string verdict, string ofStreams)
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("KES_PLANTED_BUGS") == "all", "It takes a minute: KES_PLANTED_BUGS=all.");
        ProgramRun run = await Chaos(bug, "--seed", "1", "--nodes", "1", "--streams", "1", "--duration", "12s", "--calls", "1000",
            "--faults", "wipe-node", "--fault-every", "2s", "--session-timeout", "2s", "--pause", "5ms", "--", "dotnet", FaultyApplication,
            "run");
        run.ExitCode.ShouldBe(1, run.Output);
        run.Output.ShouldContain(verdict);
        run.Output.ShouldContain("> log ");
        (await File.ReadAllTextAsync(Path.Combine(_folder, "seed-1", "verdict.txt"), Cancellation)).ShouldContain(ofStreams);
    }

    [Fact]
    public async Task Servers_that_are_there_already_are_used_and_left_alone()
    {
        await using ProgramRun up = ProgramRun.Start("dotnet",
            [Programs.Kes, "up", "--kafka-port", "0", "--registry-port", "0", "--mongodb-port", "0", "--data",
                Path.Combine(_folder, "servers")]);
        string kafka = (await up.WaitForLineAsync(KafkaLine(), Cancellation)).Groups[1].Value;
        string registry = (await up.WaitForLineAsync(RegistryLine(), Cancellation)).Groups[1].Value;
        string mongo = (await up.WaitForLineAsync(MongoLine(), Cancellation)).Groups[1].Value;
        string[] outside = ["--kafka", kafka, "--registry", registry, "--mongodb", mongo];
        string[] small = ["--seed", "5", "--nodes", "2", "--duration", "3s", "--session-timeout", "2s", "--fault-every", "700ms",
            "--faults", "kill-node,cut-nodes"];

        ProgramRun run = await Chaos("", [.. outside, .. small]);
        run.ExitCode.ShouldBe(0, run.Output);
        run.Output.ShouldContain("seed 5: ");
        string call = (await File.ReadAllLinesAsync(Path.Combine(_folder, "seed-5", "history.jsonl"), Cancellation))[0];
        call.ShouldContain("s5at",
            customMessage: "on servers that stay, another run of the seed must not meet this one's aggregates and command ids");
        ProgramRun refused = await Chaos("", [.. outside, "--faults", "kill-servers"]);
        refused.ExitCode.ShouldBe(2, refused.Output);
        refused.Output.ShouldContain("only nodes and the ways between them have faults");
        ProgramRun incomplete = await Chaos("", "--kafka", kafka);
        incomplete.ExitCode.ShouldBe(2, incomplete.Output);
        incomplete.Output.ShouldContain("go together");
        (await up.TerminateAsync(Cancellation)).ShouldBe(0, "the servers were left alone");
    }

    [Fact]
    public async Task Plan_is_printed_and_wrong_usage_is_2()
    {
        ProgramRun[] runs = await Task.WhenAll(
            Chaos("", "--seed", "42", "--plan"), Chaos("", "--seed", "42", "--plan"), Chaos("", "--faults", "earthquake"),
            Chaos("", "--nodes", "0"), Chaos("", "--duration", "soon"), Chaos("", "--", "no-such-program"));
        runs.Select(r => r.ExitCode).ShouldBe([0, 0, 2, 2, 2, 2], string.Join(Environment.NewLine, runs.Select(r => r.Output)));
        runs[0].Output.ShouldContain("cut-kafka      node-3");
        runs[0].Output.ShouldBe(runs[1].Output);
        runs[^1].Output.ShouldContain("No .NET assembly");
    }

    [GeneratedRegex(@"^Kafka\s+(\S+:\d+)")]
    private static partial Regex KafkaLine();

    [GeneratedRegex(@"(http://\S+:\d+)")]
    private static partial Regex RegistryLine();

    [GeneratedRegex(@"(mongodb://\S+)")]
    private static partial Regex MongoLine();

    private Task<ProgramRun> Chaos(string bug, params string[] arguments) =>
        ProgramRun.FinishAsync("dotnet", [Programs.KesChaos, "--output", _folder, "--patience", Patience, .. arguments],
            new Dictionary<string, string> { ["PLANTED"] = bug, ["DOTNET_EnableDiagnostics"] = "0" }, Cancellation);
}
