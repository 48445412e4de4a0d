using System.Globalization;
using System.IO.Compression;
using Banking.Domain;
using CsvHelper;
using CsvHelper.Configuration;

namespace Banking.Ledger;

/// <summary>
/// Reads ledger files: CSV with a header, or the same compressed with gzip (found out by content, not by name). Rows come one by one, so a
/// file may be larger than memory.
/// </summary>
internal sealed class LedgerReader
{
    private static readonly string[] Columns =
        ["transaction_id", "account_id", "date", "direction", "operation", "amount", "balance_after", "category", "partner_bank",
            "partner_account"];

    private static readonly string[] Required = ["transaction_id", "account_id", "date", "direction", "operation", "amount", "category"];

    private readonly string _path;
    private readonly string _name;

    public LedgerReader(string path)
    {
        _path = path;
        _name = Path.GetFileName(path);
    }

    /// <summary>Reads all rows, in the order of the file.</summary>
    /// <exception cref="MalformedLedgerException">A row cannot be read.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public IEnumerable<LedgerRow> Read()
    {
        using Stream content = Open();
        using var text = new StreamReader(content);
        using var parser = new CsvParser(text,
            new CsvConfiguration(CultureInfo.InvariantCulture) { BadDataFound = null, IgnoreBlankLines = true });
        if (!Next(parser))
            throw new MalformedLedgerException(_name, 1, Columns[0],
                $"the file is empty; it must start with a header line with the columns {string.Join(", ", Required)}.");

        int[] at = [.. Columns.Select(c => Array.FindIndex(parser.Record!, h => string.Equals(h.Trim(), c, StringComparison.Ordinal)))];
        int columns = parser.Record!.Length;
        if (Required.FirstOrDefault(c => at[Array.IndexOf(Columns, c)] < 0) is { } missing)
            throw new MalformedLedgerException(_name, 1, missing,
                $"the header has no such column; it has {string.Join(", ", parser.Record!)}.");

        while (Next(parser))
        {
            long line = parser.RawRow;
            if (parser.Record!.Length != columns)
            {
                throw new MalformedLedgerException(_name, line, Columns[Math.Min(parser.Record.Length, Columns.Length - 1)],
                    $"the row has {parser.Record.Length} columns, the header {columns}.");
            }

            yield return Row(parser.Record, at, line);
        }
    }

    private bool Next(CsvParser parser)
    {
        try
        {
            return parser.Read();
        }
        catch (InvalidDataException damaged)
        {
            throw new MalformedLedgerException(_name, parser.RawRow + 1, Columns[0], $"the gzip data is damaged: {damaged.Message}");
        }
    }

    private FileStream OpenFile() =>
        new(_path, new FileStreamOptions
        {
            Mode = FileMode.Open,
            Access = FileAccess.Read,
            Share = FileShare.Read,
            Options = FileOptions.SequentialScan,
        });

    private Stream Open()
    {
        FileStream file = OpenFile();
        bool compressed = file.ReadByte() == 0x1f && file.ReadByte() == 0x8b; // RFC 1952
        file.Position = 0;
        return compressed ? new GZipStream(file, CompressionMode.Decompress) : file;
    }

    private LedgerRow Row(string[] record, int[] at, long line)
    {
        string Text(int column) => at[column] < 0 ? "" : record[at[column]].Trim();
        MalformedLedgerException Wrong(int column, string reason) => new(_name, line, Columns[column], reason);

        string transactionId = Text(0);
        if (!CommandId.TryParse(transactionId, out _, out string? idError))
            throw Wrong(0, idError);
        string accountId = Text(1);
        if (!AggregateId.TryParse(accountId, out _, out string? accountError))
            throw Wrong(1, accountError);
        if (!DateOnly.TryParseExact(Text(2), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly date))
            throw Wrong(2, $"'{Text(2)}' is not a date such as 1993-07-31.");
        bool credit = Text(3) switch
        {
            "credit" => true,
            "debit" => false,
            string other => throw Wrong(3, $"'{other}' is neither credit nor debit."),
        };
        if (!Names.TryParseOperation(Text(4), out Operation operation))
            throw Wrong(4, $"'{Text(4)}' is not an operation; known are {Names.Operations}.");
        if (!decimal.TryParse(Text(5), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal amount))
            throw Wrong(5, $"'{Text(5)}' is not an amount such as 1250.40.");
        if (amount <= 0)
            throw Wrong(5, $"the amount is {Text(5)}; it must be positive.");
        decimal minor = amount * 100;
        if (minor != decimal.Truncate(minor) || minor > long.MaxValue)
            throw Wrong(5, $"the amount {Text(5)} has more than two decimals or too many digits.");
        if (!Names.TryParseCategory(Text(7), out Category category))
            throw Wrong(7, $"'{Text(7)}' is not a category; known are {Names.Categories}, or nothing.");

        return new LedgerRow
        {
            Line = line,
            TransactionId = transactionId,
            AccountId = accountId,
            Date = date,
            IsCredit = credit,
            Operation = operation,
            Amount = (long)minor,
            Category = category,
            PartnerBank = Text(8) is { Length: > 0 } bank ? bank : null,
            PartnerAccount = Text(9) is { Length: > 0 } account ? account : null,
        };
    }
}
