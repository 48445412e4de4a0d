using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>What the bank's program says when it is used wrongly, or its servers are not what they should be.</summary>
public sealed class BankUsageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-usage-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(2, "--frobnicate", "demo", "--frobnicate")]
    [InlineData(2, "missing.csv", "import", "missing.csv")]
    [InlineData(2, "--movements is 0", "demo", "--movements", "0")]
    [InlineData(2, "--http-port", "run", "--http-port", "70000")]
    [InlineData(2, "'nowhere' is not a Kafka address", "run", "--kafka", "nowhere", "--registry", "http://localhost:1", "--mongodb",
        "mongodb://localhost:1")]
    [InlineData(2, "no.such", "run", "--kafka-setting", "no.such=1")]
    [InlineData(2, "--registry is 'nowhere'", "run", "--registry", "nowhere")]
    [InlineData(2, "--session-timeout is NaN", "run", "--session-timeout", "NaN")]
    [InlineData(2, "--drain is NaN", "run", "--drain", "NaN")]
    [InlineData(2, "'frobnicate'", "demo", "frobnicate", "--help")]
    [InlineData(1, "Nothing can listen at port 0 of 192.0.2.1", "run", "--http-port", "0", "--http-host", "192.0.2.1")]
    public async Task Wrong_usage_exits_2_and_names_what_is_wrong(int exitCode, string told, params string[] arguments)
    {
        ProgramRun run = await Bank([.. arguments, "--data", Path.Combine(_folder, "data")]);
        run.Output.ShouldContain(told);
        run.Output.ShouldNotContain("This should not have happened");
        run.ExitCode.ShouldBe(exitCode, run.Output);
    }

    // 25 lines of stack trace came before the one that says it.
    [Fact]
    public async Task Run_at_a_port_in_use_says_so_in_one_line()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        ProgramRun run = await Bank("run", "--http-port", $"{port}", "--data", Path.Combine(_folder, "data"));
        run.Output.TrimEnd().ShouldBe($"Port {port} of 127.0.0.1 is in use: give another --http-port, or 0 for a free one.");
        run.ExitCode.ShouldBe(1);
    }

    // What only a host of one's own could set by configuration, a program of the library could not set at all.
    [Theory]
    [InlineData(2, "--standbys is -1; it must be from 0 to 100.", "Standbys", "-1", "--verbose")]
    [InlineData(2, "KafkaEventSourcing:ReadTimeout is 00:00:00; it must be positive.", "ReadTimeout", "00:00:00", "--verbose")]
    [InlineData(2, "The configuration cannot be read: Failed to convert configuration value 'many' at 'KafkaEventSourcing:Partitions'",
        "Partitions", "many", "--verbose")]
    [InlineData(1, "Nothing can listen at port 0 of 192.0.2.1", "Standbys", "-1", "--standbys", "0")]
    public async Task Run_reads_the_configuration_and_an_option_wins_over_it(
        int exitCode, string told, string property, string value, params string[] arguments)
    {
        ProgramRun run = await ProgramRun.FinishAsync("dotnet",
            [Programs.Bank, "run", "--http-port", "0", "--http-host", "192.0.2.1", "--data", Path.Combine(_folder, "data"), .. arguments],
            new Dictionary<string, string> { [$"KafkaEventSourcing__{property}"] = value }, Cancellation);
        run.Output.ShouldContain(told);
        run.ExitCode.ShouldBe(exitCode, run.Output);
    }

    // A stack trace reported it, with the password.
    [Fact]
    public async Task Run_with_a_registry_that_nobody_answers_at_fails_in_a_line_without_its_password()
    {
        ProgramRun run = await Bank("run", "--http-port", "0", "--registry", "http://ada:hidden@127.0.0.1:1", "--data",
            Path.Combine(_folder, "data"));
        run.Output.ShouldContain("The Schema Registry does not answer: ");
        run.Output.ShouldNotContain("hidden");
        run.Output.ShouldNotContain("This should not have happened");
        run.ExitCode.ShouldBe(1, run.Output);
    }

    // It took nine minutes of time-outs.
    [Fact]
    public async Task Run_with_a_replica_set_that_the_server_is_not_of_is_told_both_names()
    {
        await using TestServers servers = await ServersOrSkip.Start(Cancellation);
        var mongo = MongoDB.Driver.MongoUrl.Create(servers.Addresses.MongoDB!);
        ProgramRun run = await Bank(
            "run", "--http-port", "0", "--mongodb", $"mongodb://{mongo.Server}/?replicaSet=no-such", "--kafka", servers.Addresses.Kafka!,
            "--registry", servers.Addresses.Registry!, "--data", Path.Combine(_folder, "data"));
        run.Output.ShouldContain("names the replica set 'no-such', and the server at ");
        run.ExitCode.ShouldBe(2, run.Output);
    }

    [Fact]
    public async Task Run_with_a_schema_that_the_registry_refuses_names_the_subject_and_what_differs()
    {
        await using TestServers servers = await ServersOrSkip.Start(Cancellation);
        Assert.SkipUnless(servers.AreEmbedded, "A subject of the bank's own name is for servers that nobody else uses.");
        const string Subject = "bank.account.events-Banking.Domain.AccountOpened";
        using var registry = new Confluent.SchemaRegistry.CachedSchemaRegistryClient(
            new Confluent.SchemaRegistry.SchemaRegistryConfig { Url = servers.Addresses.Registry });
        const string Other =
            """{"type":"record","name":"AccountOpened","namespace":"Banking.Domain","fields":[{"name":"other","type":"string"}]}""";
        await registry.RegisterSchemaAsync(Subject, new Confluent.SchemaRegistry.Schema(Other, Confluent.SchemaRegistry.SchemaType.Avro));
        ProgramRun run = await Bank(
            "run", "--http-port", "0", "--kafka", servers.Addresses.Kafka!, "--registry", servers.Addresses.Registry!, "--mongodb",
            servers.Addresses.MongoDB!, "--data", Path.Combine(_folder, "data"));
        run.Output.ShouldContain($"does not take the schema of Banking.Domain.AccountOpened under the subject '{Subject}': ");
        run.Output.ShouldContain("incompatible with an earlier schema");
        run.Output.ShouldNotContain("This should not have happened");
        run.ExitCode.ShouldBe(1, run.Output);
    }

    private static Task<ProgramRun> Bank(params string[] arguments) =>
        ProgramRun.FinishAsync("dotnet", [Programs.Bank, .. arguments], null, Cancellation);
}
