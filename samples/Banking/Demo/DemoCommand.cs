using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Hosting.Load;

namespace Banking.Demo;

/// <summary><c>demo</c>: the whole bank once, on fresh servers.</summary>
internal static class DemoCommand
{
    private const int DefaultMovements = 100_000;
    private const int DefaultAccounts = 1_000;
    private const int DefaultSeed = 42;

    public static Command Create(NodeStarter starter)
    {
        var command = new Command("demo",
            "open accounts, post seeded movements, wait for the read models and check the books; without --data everything is gone "
                + "afterwards");
        var movements = new Option<int>("--movements") { Description = "how many movements", DefaultValueFactory = _ => DefaultMovements };
        var accounts = new Option<int>("--accounts") { Description = "how many accounts", DefaultValueFactory = _ => DefaultAccounts };
        var seed = new Option<int>("--seed")
        {
            Description = "the same seed gives the same movements", DefaultValueFactory = _ => DefaultSeed,
        };
        var inFlight = new Option<int>("--in-flight")
        {
            Description = "commands without an answer at one time", DefaultValueFactory = _ => new CommandFeedOptions().MaxInFlight,
        };
        command.Options.Add(movements);
        command.Options.Add(accounts);
        command.Options.Add(seed);
        command.Options.Add(inFlight);
        starter.AddOptions(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            if (result.GetValue(movements) < 1)
                throw new InvalidInputException("--movements", $"--movements is {result.GetValue(movements)}; it must be at least 1.");
            if (result.GetValue(accounts) < 1)
                throw new InvalidInputException("--accounts", $"--accounts is {result.GetValue(accounts)}; it must be at least 1.");
            DirectoryInfo? temporary = result.GetValue(starter.Options.Data) is null
                ? Directory.CreateTempSubdirectory("bank-demo-")
                : null;
            try
            {
                await using NodeHandle running = await starter.StartAsync(result, temporary?.FullName
                    ?? "", cancellationToken).ConfigureAwait(false);
                var bank = new DemoMovements(result.GetValue(accounts), result.GetValue(movements), result.GetValue(seed));
                return await Run(running.Node, bank, result.GetValue(movements),
                    new CommandFeedOptions { MaxInFlight = result.GetValue(inFlight) }, starter.Time,
                    cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                temporary?.Delete(recursive: true);
            }
        });
        return command;
    }

    private static async Task<int> Run(EventSourcedNode node, DemoMovements bank, int movements, CommandFeedOptions options,
        TimeProvider time, CancellationToken cancellationToken)
    {
        using (var openings = new CommandFeed(node, options))
            await openings.SendAsync(bank.Openings(), cancellationToken).ConfigureAwait(false);
        await node.WaitForReadModelsAsync(cancellationToken).ConfigureAwait(false);

        using var feed = new CommandFeed(node, options);
        long started = Stopwatch.GetTimestamp();
        await Progress.ShowAsync("posting", "movements", movements, () => feed.Answered,
            () => feed.SendAsync(bank.Movements(), cancellationToken), time).ConfigureAwait(false);
        TimeSpan answered = Stopwatch.GetElapsedTime(started);
        await node.WaitForReadModelsAsync(cancellationToken).ConfigureAwait(false);
        TimeSpan projected = Stopwatch.GetElapsedTime(started);
        IReadOnlyList<Books.Books> books = await Books.Books.ComputeThreeWays(node, cancellationToken).ConfigureAwait(false);

        CultureInfo format = CultureInfo.InvariantCulture;
        Console.WriteLine(string.Create(format,
            $"commands        {feed.Answered:N0} in {answered.TotalSeconds:N2} s = {feed.Answered / answered.TotalSeconds:N0} commands/s"));
        Console.WriteLine(string.Create(format,
            $"latency         p50 {feed.Latency.Quantile(0.5).TotalMilliseconds:N1} ms, "
                + $"p99 {feed.Latency.Quantile(0.99).TotalMilliseconds:N1} ms, max {feed.Latency.Max.TotalMilliseconds:N1} ms "
                + $"({options.MaxInFlight:N0} in flight)"));
        Console.WriteLine(string.Create(format,
            $"outcomes        {feed.Accepted:N0} accepted, {feed.Rejected:N0} rejected by the bank's rules, {feed.Duplicates:N0} known "
                + $"already, {feed.Conflicts + feed.Faulted:N0} failed"));
        Console.WriteLine(string.Create(format,
            $"read models     complete after {projected.TotalSeconds:N2} s "
                + $"= {feed.Answered / projected.TotalSeconds:N0} commands/s end to end"));
        foreach (Books.Books one in books)
            Console.WriteLine(string.Create(format,
                $"{one.Source,-15} {one.Accounts:N0} accounts, {one.Movements:N0} movements, sum of "
                    + $"balances {Money.Format(one.SumOfBalances)}"));
        bool balance = Books.Books.Balance(books) && feed.Conflicts + feed.Faulted == 0;
        Console.WriteLine(balance ? "The books balance." : "The books do NOT balance.");
        return balance ? ExitCodes.Done : ExitCodes.Failed;
    }
}
