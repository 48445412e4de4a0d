using System.CommandLine;
using System.Globalization;
using Banking.Streams;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Hosting.Load;

namespace Banking.Ledger;

/// <summary><c>import FILE</c>: replays a ledger.</summary>
internal static class ImportCommand
{
    private const int MaxReported = 10;

    public static Command Create(NodeStarter starter)
    {
        var command = new Command("import", "replay a ledger file (CSV, or CSV compressed with gzip); importing it again changes nothing");
        var file = new Argument<FileInfo>("FILE") { Description = "the ledger; its transaction ids are the command ids" };
        var expected = new Option<FileInfo?>("--expected")
        {
            Description = "figures (JSON) that the read models must have in the end, to the cent",
        };
        command.Arguments.Add(file);
        command.Options.Add(expected);
        command.Options.Add(StreamsOfImport.Option);
        starter.AddOptions(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            FileInfo ledger = result.GetValue(file)!;
            if (!ledger.Exists)
                throw new InvalidInputException("FILE", $"There is no file '{ledger.FullName}'.");

            ExpectedFigures? figures = result.GetValue(expected) is { } given ? ExpectedFigures.Load(given) : null;
            var reader = new LedgerReader(ledger.FullName);
            LedgerCommands commands = Survey(reader);
            await using NodeHandle running = await starter.StartAsync(result, Path.Combine("data", starter.Application.Name),
                cancellationToken).ConfigureAwait(false);
            await using var streams = StreamsOfImport.Start(running, result, starter);
            int outcome = await Import(running.Node, reader, commands, starter.Time, cancellationToken).ConfigureAwait(false);
            bool isAsExpected = figures is null || await Compare(figures, running.Node, cancellationToken).ConfigureAwait(false);
            isAsExpected &= await StreamsOfImport.CompareAsync(streams, figures, cancellationToken).ConfigureAwait(false);
            return isAsExpected ? outcome : ExitCodes.Failed;
        });
        return command;
    }

    private static LedgerCommands Survey(LedgerReader reader)
    {
        try
        {
            return LedgerCommands.Survey(reader);
        }
        catch (MalformedLedgerException malformed)
        {
            throw new CommandFailedException($"{malformed.Message}{Environment.NewLine}Nothing was imported.", malformed);
        }
    }

    private static async Task<int> Import(EventSourcedNode node, LedgerReader reader, LedgerCommands commands, TimeProvider time,
        CancellationToken cancellationToken)
    {
        var refused = new List<string>();
        using var feed = new CommandFeed(node, new CommandFeedOptions())
        {
            OnRefused = (command, outcome) =>
            {
                lock (refused)
                {
                    if (refused.Count < MaxReported)
                        refused.Add($"account {command.AggregateId}, transaction {command.CommandId}: {Reason(outcome)}");
                }
            },
        };
        await feed.SendAsync(commands.Openings(), cancellationToken).ConfigureAwait(false);
        long openings = feed.Answered;
        await Progress.ShowAsync("importing", "movements", commands.MovementCount, () => feed.Answered - openings,
            () => feed.SendAsync(LedgerCommands.Movements(reader), cancellationToken), time).ConfigureAwait(false);
        await node.WaitForReadModelsAsync(cancellationToken).ConfigureAwait(false);

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{commands.MovementCount:N0} movements on {commands.AccountCount:N0} accounts read."));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{feed.Accepted:N0} commands took effect, {feed.Duplicates:N0} had been imported before, {feed.Rejected:N0} "
                + $"rejected, {feed.Conflicts + feed.Faulted:N0} failed."));
        foreach (string line in refused)
            Console.WriteLine(line);
        IReadOnlyList<Books.Books> books = await Books.Books.ComputeThreeWays(node, cancellationToken).ConfigureAwait(false);
        foreach (Books.Books one in books)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{one.Source,-12}: {one.Accounts:N0} accounts, {one.Movements:N0} movements, sum of "
                    + $"balances {Money.Format(one.SumOfBalances)}"));
        bool balance = Books.Books.Balance(books);
        Console.WriteLine(balance ? "The books balance." : "The books do NOT balance.");
        return balance && feed.Rejected + feed.Conflicts + feed.Faulted == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static async Task<bool> Compare(ExpectedFigures figures, EventSourcedNode node, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> differences = await figures.DifferencesFromMongoDB(node, cancellationToken).ConfigureAwait(false);
        foreach (string difference in differences)
            Console.WriteLine(difference);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{figures.Count - differences.Count:N0} of {figures.Count:N0} expected figures are those of MongoDB."));
        return differences.Count == 0;
    }

    private static string Reason(CommandResult outcome) => outcome switch
    {
        CommandResult.Rejected rejected => rejected.Rejection.Message,
        CommandResult.Faulted faulted => faulted.Message,
        _ => outcome.ToString(),
    };
}
