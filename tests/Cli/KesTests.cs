using System.Text.RegularExpressions;
using Confluent.Kafka;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Cli.Tests;

/// <summary><c>kes</c> as an operator types it: output and exit codes of the real program.</summary>
public sealed partial class KesTests : IAsyncLifetime
{
    private static readonly string Kes = Path.Combine(AppContext.BaseDirectory, "kes.dll");

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-cli-").FullName;
    private ProgramRun? _servers;
    private string _kafka = "";
    private string _registry = "";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = ProgramRun.Start("dotnet", [Kes, "up", "--kafka-port", "0", "--registry-port", "0", "--mongodb-port", "0", "--data", Path.Combine(_folder, "data")]);
        _kafka = (await _servers.WaitForLine(KafkaLine(), Cancellation)).Groups[1].Value;
        _registry = (await _servers.WaitForLine(RegistryLine(), Cancellation)).Groups[1].Value;
    }

    public async ValueTask DisposeAsync()
    {
        await _servers!.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Topics_are_planned_applied_listed_described_and_tailed()
    {
        string file = Path.Combine(_folder, "topics.yaml");
        await File.WriteAllTextAsync(file, "topics:\n  - name: shop.order.events\n    partitions: 2\n    replicationFactor: 1\n    configs:\n      retention.ms: \"-1\"\n", Cancellation);
        ProgramRun plan = await Run("topics", "plan", file);
        plan.ExitCode.ShouldBe(0, plan.Output);
        plan.Output.ShouldContain("shop.order.events");
        (await Run("topics", "list")).Output.ShouldNotContain("shop.order.events");

        (await Run("topics", "apply", file)).ExitCode.ShouldBe(0);
        (await Run("topics", "list")).Output.ShouldContain("shop.order.events");
        ProgramRun described = await Run("topics", "describe", "shop.order.events");
        described.ExitCode.ShouldBe(0);
        described.Output.ShouldContain("retention.ms");

        await File.WriteAllTextAsync(file, "topics:\n  - name: shop.order.events\n    partitions: 3\n    replicationFactor: 1\n", Cancellation);
        ProgramRun refused = await Run("topics", "apply", file);
        refused.ExitCode.ShouldNotBe(0);
        refused.Output.ShouldContain("has 2 partitions, 3 are declared");
    }

    [Fact]
    public async Task Tail_shows_keys_and_values()
    {
        string file = Path.Combine(_folder, "topics.yaml");
        await File.WriteAllTextAsync(file, "topics:\n  - name: notes\n    partitions: 1\n    replicationFactor: 1\n", Cancellation);
        (await Run("topics", "apply", file)).ExitCode.ShouldBe(0);
        using (IProducer<string, string> producer = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = _kafka }).Build())
            await producer.ProduceAsync("notes", new Message<string, string> { Key = "k1", Value = "hello there" }, Cancellation);
        ProgramRun tail = await Run("topics", "tail", "notes", "--from-beginning");
        tail.ExitCode.ShouldBe(0, tail.Output);
        tail.Output.ShouldContain("k1");
        tail.Output.ShouldContain("hello there");
    }

    [Theory]
    [InlineData(2, "--frobnicate", "topics", "list", "--frobnicate")]
    [InlineData(2, "no-such-verb", "topics", "no-such-verb")]
    [InlineData(2, "missing.yaml", "topics", "plan", "missing.yaml")]
    [InlineData(1, "no-such-topic", "topics", "describe", "no-such-topic")]
    public async Task Wrong_usage_and_failure_say_what_is_wrong(int exitCode, string told, params string[] arguments)
    {
        ProgramRun run = await Run(arguments);
        run.Output.ShouldContain(told);
        run.ExitCode.ShouldBe(exitCode, run.Output);
    }

    [Fact]
    public async Task Up_on_a_port_in_use_says_so()
    {
        string port = _kafka[(_kafka.LastIndexOf(':') + 1)..];
        ProgramRun second = await ProgramRun.Finish("dotnet", [Kes, "up", "--kafka-port", port, "--registry-port", "0", "--mongodb-port", "0", "--data", Path.Combine(_folder, "other")], null, Cancellation);
        second.ExitCode.ShouldBe(1);
        second.Output.ShouldContain(port);
        second.Output.ShouldContain("in use");
    }

    [Fact]
    public async Task Up_ends_on_request_with_exit_code_0() => (await _servers!.Terminate(Cancellation)).ShouldBe(0);

    private Task<ProgramRun> Run(params string[] arguments) =>
        ProgramRun.Finish("dotnet", [Kes, .. arguments], new Dictionary<string, string> { ["KES_KAFKA"] = _kafka, ["KES_REGISTRY"] = _registry }, Cancellation);

    [GeneratedRegex(@"Kafka\D*((?:127\.0\.0\.1|localhost):\d+)")]
    private static partial Regex KafkaLine();

    [GeneratedRegex(@"(http://\S+:\d+)")]
    private static partial Regex RegistryLine();
}
