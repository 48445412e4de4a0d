using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Avro;
using Avro.Generic;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Cli.Tests;

/// <summary>Topics and servers by <c>kes</c>.</summary>
public sealed class KesTests(RunningKes servers) : KesCommands(servers), IClassFixture<RunningKes>
{
    [Fact]
    public async Task Topics_are_planned_applied_listed_described_and_tailed()
    {
        string file = Path.Combine(Folder, "topics.yaml");
        await File.WriteAllTextAsync(file,
            "topics:\n  - name: shop.order.events\n    partitions: 2\n    replicationFactor: 1\n    configs:\n      retention.ms: \"-1\"\n",
            Cancellation);
        ProgramRun plan = await Run("topics", "plan", file);
        plan.ExitCode.ShouldBe(0, plan.Output);
        plan.Output.ShouldContain("shop.order.events");
        (await Run("topics", "list")).Output.ShouldNotContain("shop.order.events");

        ProgramRun applied = await Run("topics", "apply", file);
        applied.ExitCode.ShouldBe(0);
        applied.Output.ShouldContain("Applied: 1 topics created, 0 configs set.");
        (await Run("topics", "list")).Output.ShouldContain("shop.order.events");
        ProgramRun described = await Run("topics", "describe", "shop.order.events");
        described.ExitCode.ShouldBe(0);
        described.Output.ShouldContain("retention.ms");

        await File.WriteAllTextAsync(file, "topics:\n  - name: shop.order.events\n    partitions: 3\n    replicationFactor: 1\n",
            Cancellation);
        ProgramRun refused = await Run("topics", "apply", file);
        refused.ExitCode.ShouldBe(1, "it was 2, wrong usage, where plan of the same file ended with 1");
        refused.Output.ShouldContain("has 2 partitions, 3 are declared");
        refused.Output.ShouldContain("Nothing is applied");
        (await Run("topics", "plan", file)).ExitCode.ShouldBe(1);
    }

    [Fact]
    public async Task Topics_declared_for_an_application_are_those_that_its_nodes_would_create()
    {
        string file = Path.Combine(Folder, "declared.yaml");
        await File.WriteAllLinesAsync(file, await Lines("topics", "declare", "store", "item", "--process", "order", "--partitions", "2",
            "--replication-factor", "1"), Cancellation);
        ProgramRun applied = await Run("topics", "apply", file);
        applied.ExitCode.ShouldBe(0, applied.Output);
        applied.Output.ShouldContain("Applied: 13 topics created");
        (await Run("topics", "plan", file)).Output.ShouldContain("Nothing to do");
        using var provisioner = new EventLog.TopicProvisioner(new EventLog.KafkaConnection { BootstrapServers = Servers.Kafka });
        (await provisioner.PlanAsync(EventLog.TopicDeclaration.For(new EventLog.TopicFamily("store", "item"), 2, 1), Cancellation)).IsEmpty
            .ShouldBeTrue();
        (await provisioner.PlanAsync(EventLog.TopicDeclaration.For(new EventLog.TopicFamily("store", "order"), 2, 1, isProcess: true),
            Cancellation)).IsEmpty.ShouldBeTrue();
    }

    // Declared 3, actual 1, and the plan said "Nothing to do"; a config of a wrong value was "This should not have happened".
    [Fact]
    public async Task Topics_that_cannot_be_as_declared_are_told_with_what_is_wrong()
    {
        string file = Path.Combine(Folder, "topics.yaml");
        await Declare(replicas: 1, "604800000");
        (await Run("topics", "apply", file)).ExitCode.ShouldBe(0);

        await Declare(replicas: 3, "604800000");
        ProgramRun plan = await Run("topics", "plan", file);
        plan.ExitCode.ShouldBe(1);
        plan.Output.ShouldContain("cannot shop.cart.events replicas: 1 -> 3");
        plan.Output.ShouldNotContain("Nothing to do");

        await Declare(replicas: 1, "a week");
        ProgramRun apply = await Run("topics", "apply", file);
        apply.ExitCode.ShouldBe(2);
        apply.Output.ShouldContain("The topic shop.cart.events cannot have retention.ms=a week: ");
        apply.Output.ShouldNotContain("should not have happened");

        Task Declare(int replicas, string retention) => File.WriteAllTextAsync(
            file, $"topics:\n  - name: shop.cart.events\n    partitions: 2\n    replicationFactor: {replicas}\n    configs:\n      "
                + $"retention.ms: \"{retention}\"\n", Cancellation);
    }

    [Theory]
    [InlineData(2, "--frobnicate", "topics", "list", "--frobnicate")]
    [InlineData(2, "no-such-verb", "topics", "no-such-verb")]
    [InlineData(2, "'abc' for option '--kafka-port'.", "up", "--kafka-port", "abc")]
    [InlineData(2, "'abc' for option '--limit'.", "topics", "tail", "any", "--limit", "abc")]
    [InlineData(2, "'abc' for option '--partition'.", "topics", "tail", "any", "--partition", "abc")]
    [InlineData(2, "'abc' for option '--timeout'.", "dead-letters", "retry", "bank.account", "--all", "--timeout", "abc")]
    [InlineData(2, "needs --all", "dead-letters", "retry", "bank.account", "--aggregate", "a", "--cause", "unknown-schema")]
    [InlineData(2, "--misplaced", "dead-letters", "discard", "bank.account", "--aggregate", "a", "--misplaced", "--reason", "x")]
    [InlineData(2, "missing.yaml", "topics", "plan", "missing.yaml")]
    [InlineData(1, "no-such-topic", "topics", "describe", "no-such-topic")]
    [InlineData(1, "There is no topic '@text'", "topics", "describe", "@text")] // it was taken for a file of arguments
    [InlineData(2, "no.such", "topics", "list", "--kafka-setting", "no.such=1")]
    [InlineData(2, "--data is empty", "up", "--data", "")]
    [InlineData(2, "No aggregate type is named", "topics", "declare", "shop")]
    [InlineData(2, "The aggregate type order is named twice", "topics", "declare", "shop", "order", "--process", "order")]
    [InlineData(2, "The application 'My Shop' must start with a lower case letter", "topics", "declare", "My Shop", "order")]
    [InlineData(2, "--partitions is 0; at least 1 is needed", "topics", "declare", "shop", "order", "--partitions", "0")]
    [InlineData(1, "'run --kafka-port 9092'", "topics", "list", "--kafka", "127.0.0.1:1")]
    [InlineData(2, "--by is empty", "dead-letters", "discard", "bank.account", "--aggregate", "a", "--reason", "x", "--by", "")]
    [InlineData(2, "isolation.level cannot be set", "topics", "list", "--kafka-setting", "isolation.level=read_uncommitted")]
    [InlineData(2, "'abc' for option '--brokers'.", "up", "--brokers", "abc")] // it ended with an unhandled exception
    [InlineData(2, "--data is '", "up", "--data", "/dev/null/data")]
    [InlineData(2, "'foo'", "foo", "--help")]
    [InlineData(2, "'more'", "topics", "tail", "any", "more", "--help")]
    public async Task Wrong_usage_and_failure_say_what_is_wrong(int exitCode, string told, params string[] arguments)
    {
        ProgramRun run = await Run(arguments);
        run.Output.ShouldContain(told);
        run.Output.ShouldNotContain("This should not have happened");
        run.ExitCode.ShouldBe(exitCode, run.Output);
    }

    [Fact]
    public async Task Version_names_the_native_client_too() => (await Lines("--version"))[1].ShouldStartWith("librdkafka 2.");

    [Fact]
    public async Task Up_on_a_port_in_use_says_so()
    {
        string port = Servers.Kafka[(Servers.Kafka.LastIndexOf(':') + 1)..];
        ProgramRun second = await ProgramRun.FinishAsync("dotnet",
            [Kes, "up", "--kafka-port", port, "--registry-port", "0", "--mongodb-port", "0", "--data", Path.Combine(Folder, "other")],
            null, Cancellation);
        second.ExitCode.ShouldBe(1);
        second.Output.ShouldContain(port);
        second.Output.ShouldContain("in use");
        string other = Servers.Registry[(Servers.Registry.LastIndexOf(':') + 1)..].TrimEnd('/');
        ProgramRun third = await ProgramRun.FinishAsync("dotnet",
            [Kes, "up", "--kafka-port", "0", "--registry-port", other, "--mongodb-port", "0", "--data", Path.Combine(Folder, "third")],
            null, Cancellation);
        third.ExitCode.ShouldBe(1);
        third.Output.ShouldContain($"Port {other} of 127.0.0.1, which the Schema Registry shall listen on, is in use");
        third.Output.ShouldNotContain("   at "); // the web server's own log told it first, with a stack trace
    }

    [Fact]
    public async Task Up_ends_on_request_with_exit_code_0()
    {
        await using ProgramRun up = ProgramRun.Start("dotnet",
            [Kes, "up", "--kafka-port", "0", "--registry-port", "0", "--mongodb-port", "0", "--data", Path.Combine(Folder, "data")]);
        await up.WaitForLineAsync(RunningKes.RegistryLine(), Cancellation);
        (await up.TerminateAsync(Cancellation)).ShouldBe(0);
    }

    [Fact]
    public async Task Misplaced_events_and_snapshots_are_given_up_and_shown_so()
    {
        // Of two partitions "k" belongs to one: each record is right on one of them and wrong on the other.
        await Produce("depot.stock.events", partitions: 2, ("k", "one"), ("k", "two"));
        await Produce("depot.stock.snapshots", partitions: 2, ("k", "one"), ("k", "two"));
        await CreateTopic("depot.stock.dead-letters", 2);
        int wrong = 1 - EventLog.Murmur2.Partition("k"u8, 2);

        ProgramRun discard = await Run("dead-letters", "discard", "depot.stock", "--misplaced", "--reason", "a careless copy",
            "--by", "Ada");
        discard.ExitCode.ShouldBe(0, discard.Output);
        discard.Output.ShouldContain($"depot.stock.events {wrong}@0 of k");
        discard.Output.ShouldContain($"depot.stock.snapshots {wrong}@0 of k");
        discard.Output.ShouldContain("1 misplaced events and 1 misplaced snapshots are discarded.");
        (await Run("dead-letters", "discard", "depot.stock", "--misplaced", "--reason", "again")).Output.ShouldContain(
            "0 misplaced events and 0 misplaced snapshots are discarded.");

        ProgramRun tail = await Run("topics", "tail", "depot.stock.events", "--partition", $"{wrong}");
        tail.Output.ShouldContain("discarded by Ada, ");
        tail.Output.ShouldContain(": a careless copy; readers pass it over");
        JsonObject json = (JsonObject)JsonNode.Parse(
            (await Lines("topics", "tail", "depot.stock.events", "--json", "--partition", $"{wrong}"))[0])!;
        json["discarded"]!["reason"]!.GetValue<string>().ShouldBe("a careless copy");
        (await Run("topics", "tail", "depot.stock.events", "--partition", $"{1 - wrong}")).Output.ShouldNotContain("discarded");
        (await Run("dead-letters", "list", "depot.stock", "--resolved")).Output.ShouldContain("discarded by Ada: a careless copy");
    }
}
