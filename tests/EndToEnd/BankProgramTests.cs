using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>The bank's program as its users type it, on embedded servers, with real signals.</summary>
public sealed partial class BankProgramTests : IDisposable
{
    private const string Header =
        "transaction_id,account_id,date,direction,operation,amount,balance_after,category,partner_bank,partner_account";

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-bank-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Demo_balances_the_books_three_ways_and_exits_0()
    {
        ProgramRun demo = await Bank("demo", "--movements", "3000", "--accounts", "50");
        demo.ExitCode.ShouldBe(0, demo.Output);
        demo.Output.ShouldContain("commands/s");
        demo.Output.ShouldContain("p50");
        demo.Output.ShouldContain("p99");
        string[] sums = [.. Sum().Matches(demo.Output).Select(m => m.Groups[1].Value)];
        sums.Length.ShouldBe(3);
        sums.Distinct().ShouldHaveSingleItem();
        demo.Output.ShouldContain("The books balance.");
    }

    [Fact]
    public async Task Import_killed_in_the_middle_and_repeated_gives_the_same_figures()
    {
        (string ledger, decimal sum) = await WriteLedger(movements: 20_000, accounts: 100);
        string data = Path.Combine(_folder, "data");
        await using (ProgramRun killed = ProgramRun.Start("dotnet", [Programs.Bank, "import", ledger, "--data", data]))
        {
            await WaitForEvents(data);
            await killed.KillAsync(Cancellation);
        }

        ProgramRun again = await Bank("import", ledger, "--data", data);
        again.ExitCode.ShouldBe(0, again.Output);
        ShouldHaveSums(again, sum);

        ProgramRun second = await Bank("import", ledger, "--data", data);
        second.ExitCode.ShouldBe(0, second.Output);
        second.Output.ShouldContain("0 commands took effect, 20,100 had been imported before");
        ShouldHaveSums(second, sum);

        Directory.Delete(Path.Combine(data, "state"), recursive: true);
        Directory.Delete(Path.Combine(data, "mongodb"), recursive: true);
        ProgramRun verified = await Bank("verify", "--data", data);
        verified.ExitCode.ShouldBe(0, verified.Output);
    }

    [Theory]
    [InlineData("101.50", 0, "5 of 5 expected figures are those of MongoDB.")]
    [InlineData("101.51", 1, "direction:credit amount: 101.51 expected, MongoDB has 101.50.")]
    public async Task Import_compares_expected_figures_to_the_cent(string credits, int exitCode, string told)
    {
        string ledger = Path.Combine(_folder, "ledger.csv");
        await File.WriteAllTextAsync(ledger,
            $"{Header}\nt1,a1,1993-01-01,credit,internal,101.5,,,,\nt2,a1,1993-01-02,debit,internal,200,,,,\n", Cancellation);
        string figures = Path.Combine(_folder, "figures.json");
        const string Template = """
            {"rows":2,"totals":{"direction:credit":{"count":1,"amount":"CREDITS"}},"sampleAccounts":{"a1":{"movements":2,"balance":"-98.50"}}}
            """;
        await File.WriteAllTextAsync(figures, Template.Replace("CREDITS", credits, StringComparison.Ordinal), Cancellation);
        ProgramRun import = await Bank("import", ledger, "--expected", figures, "--data", Path.Combine(_folder, "data"));
        import.Output.ShouldContain(told);
        import.ExitCode.ShouldBe(exitCode, import.Output);
    }

    [Fact]
    public async Task Import_malformed_row_imports_nothing_and_says_where()
    {
        string ledger = Path.Combine(_folder, "bad.csv");
        await File.WriteAllTextAsync(ledger,
            $"{Header}\nt1,a1,1993-01-01,credit,internal,10,,,,\nt2,a1,1993-01-01,credit,internal,ten,,,,\n", Cancellation);
        string data = Path.Combine(_folder, "data");
        ProgramRun import = await Bank("import", ledger, "--data", data);
        import.ExitCode.ShouldBe(1);
        import.Output.ShouldContain("bad.csv, line 3, column amount: 'ten'");
        import.Output.ShouldContain("Nothing was imported.");
        Directory.Exists(data).ShouldBeFalse();
    }

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
        using var other = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        other.Start();
        int port = ((System.Net.IPEndPoint)other.LocalEndpoint).Port;
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

    [Fact]
    public async Task Run_on_a_torn_segment_starts_with_what_was_committed()
    {
        (string ledger, decimal sum) = await WriteLedger(movements: 500, accounts: 10);
        string data = Path.Combine(_folder, "data");
        (await Bank("import", ledger, "--data", data)).ExitCode.ShouldBe(0);
        foreach (string segment in Directory.EnumerateFiles(data, "*.log", SearchOption.AllDirectories).Where(f =>
            f.Contains("bank.account.events-", StringComparison.Ordinal)))
        {
            await using FileStream file = new(segment, FileMode.Append);
            file.Write("half a batch, cut off in the middle by a power failure"u8);
        }

        ProgramRun again = await Bank("import", ledger, "--data", data);
        again.ExitCode.ShouldBe(0, again.Output);
        again.Output.ShouldContain("0 commands took effect");
        ShouldHaveSums(again, sum);
    }

    private static void ShouldHaveSums(ProgramRun import, decimal sum)
    {
        string[] sums = [.. Sum().Matches(import.Output).Select(m => m.Groups[1].Value)];
        sums.Length.ShouldBe(3, import.Output);
        sums.ShouldAllBe(s => decimal.Parse(s, CultureInfo.InvariantCulture) == sum);
    }

    private static Task<ProgramRun> Bank(params string[] arguments) =>
        ProgramRun.FinishAsync("dotnet", [Programs.Bank, .. arguments], null, Cancellation);

    // Wakes when a segment of the events has grown; the import is in its middle then.
    private static async Task WaitForEvents(string data)
    {
        Directory.CreateDirectory(data);
        var grown = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var watcher = new FileSystemWatcher(data, "*.log")
        {
            IncludeSubdirectories = true, NotifyFilter = NotifyFilters.Size | NotifyFilters.LastWrite, InternalBufferSize = 1 << 16,
        };
        watcher.Changed += (_, changed) =>
        {
            if (changed.FullPath.Contains("bank.account.events-", StringComparison.Ordinal)
                && new FileInfo(changed.FullPath).Length > 100_000)
                grown.TrySetResult();
        };
        watcher.EnableRaisingEvents = true;
        await grown.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
    }

    private async Task<(string Path, decimal Sum)> WriteLedger(int movements, int accounts)
    {
        var random = new Random(7);
        var lines = new StringBuilder(Header).Append('\n');
        long sum = 0;
        for (int i = 0; i < movements; i++)
        {
            long amount = random.NextInt64(1, 1_000_000);
            bool credit = random.Next(2) == 0;
            sum += credit ? amount : -amount;
            string direction = credit ? "credit" : "debit";
            lines.Append(CultureInfo.InvariantCulture,
                $"t{i},a{random.Next(accounts)},1993-{1 + (i * 12L / movements):D2}-15,{direction},internal,{amount / 100m:0.00},,,,\n");
        }

        string path = Path.Combine(_folder, "ledger.csv");
        await File.WriteAllTextAsync(path, lines.ToString(), Cancellation);
        return (path, sum / 100m);
    }

    [GeneratedRegex(@"sum of balances (-?[\d.,]+)")]
    private static partial Regex Sum();
}
