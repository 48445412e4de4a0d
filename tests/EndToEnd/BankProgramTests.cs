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
        (string ledger, decimal sum) = await WriteLedger(movements: 12_000, accounts: 100);
        string data = Path.Combine(_folder, "data");
        // With an id the node takes its place in the group back; without, it waits for the session time-out of the one that was killed.
        string[] arguments = ["import", ledger, "--node-id", "clerk", "--data", data];
        await using (ProgramRun killed = ProgramRun.Start("dotnet", [Programs.Bank, .. arguments]))
        {
            await WaitForEvents(data);
            await killed.KillAsync(Cancellation);
        }

        ProgramRun again = await Bank(arguments);
        again.ExitCode.ShouldBe(0, again.Output);
        ShouldHaveSums(again, sum);

        ProgramRun second = await Bank(arguments);
        second.ExitCode.ShouldBe(0, second.Output);
        second.Output.ShouldContain("0 commands took effect, 12,100 had been imported before");
        ShouldHaveSums(second, sum);

        Directory.Delete(Path.Combine(data, "state"), recursive: true);
        Directory.Delete(Path.Combine(data, "mongodb"), recursive: true);
        ProgramRun verified = await Bank("verify", "--data", data);
        verified.ExitCode.ShouldBe(0, verified.Output);
    }

    [Theory]
    [InlineData("101.50", 0, "5 of 5 expected figures are those of MongoDB.", "5 of 5 expected figures are those of the streams.")]
    [InlineData("101.51", 1, "direction:credit amount: 101.51 expected, MongoDB has 101.50.",
        "direction:credit amount: 101.51 expected, the streams have 101.50.")]
    public async Task Import_compares_expected_figures_to_the_cent_and_verify_finds_the_streams_in_order(string credits, int exitCode,
        params string[] told)
    {
        string ledger = Path.Combine(_folder, "ledger.csv");
        await File.WriteAllTextAsync(ledger,
            $"{Header}\nt1,a1,1993-01-01,credit,internal,101.5,,,,\nt2,a1,1993-01-02,debit,internal,200,,,,\n", Cancellation);
        string figures = Path.Combine(_folder, "figures.json");
        const string Template = """
            {"rows":2,"totals":{"direction:credit":{"count":1,"amount":"CREDITS"}},"sampleAccounts":{"a1":{"movements":2,"balance":"-98.50"}}}
            """;
        await File.WriteAllTextAsync(figures, Template.Replace("CREDITS", credits, StringComparison.Ordinal), Cancellation);
        string data = Path.Combine(_folder, "data");
        ProgramRun import = await Bank("import", ledger, "--expected", figures, "--data", data, "--streams");
        foreach (string line in told)
            import.Output.ShouldContain(line);
        import.ExitCode.ShouldBe(exitCode, import.Output);
        if (exitCode != 0)
            return;
        ProgramRun verify = await Bank("verify", "--data", data);
        verify.Output.ShouldContain("bank-streams: 1 snapshots, 2 totals, 3 events by type, 0 of them again, 0 joined: all agree.");
        verify.ExitCode.ShouldBe(0, verify.Output);
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
