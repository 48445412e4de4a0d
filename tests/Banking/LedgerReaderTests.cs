using System.IO.Compression;
using System.Text;
using Banking.Ledger;

namespace Banking.Tests;

public sealed class LedgerReaderTests : IDisposable
{
    private const string Header =
        "transaction_id,account_id,date,direction,operation,amount,balance_after,category,partner_bank,partner_account";
    private const string Row = "t1,a1,1993-01-31,credit,transfer-in,1250.40,1250.40,household,AB,12345";

    private readonly string _folder = Directory.CreateTempSubdirectory("ledger-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Read_row_gives_its_values()
    {
        LedgerRow row = Read(Header, Row).ShouldHaveSingleItem();
        row.ShouldBe(new LedgerRow
        {
            Line = 2, TransactionId = "t1", AccountId = "a1", Date = new DateOnly(1993, 1, 31), IsCredit = true,
            Operation = Domain.Operation.TransferIn,
            Amount = 125_040, Category = Domain.Category.Household, PartnerBank = "AB", PartnerAccount = "12345",
        });
    }

    [Fact]
    public void Read_gzip_is_found_out_by_content()
    {
        string path = Path.Combine(_folder, "ledger.data");
        using (var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest))
            gzip.Write(Encoding.UTF8.GetBytes($"{Header}\n{Row}\n"));
        new LedgerReader(path).Read().Count().ShouldBe(1);
    }

    [Fact]
    public void Read_damaged_gzip_is_an_error()
    {
        string path = Path.Combine(_folder, "ledger.csv.gz");
        using (var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest))
            gzip.Write(Encoding.UTF8.GetBytes($"{Header}\n{string.Concat(Enumerable.Repeat($"{Row}\n", 1_000))}"));
        byte[] bytes = File.ReadAllBytes(path);
        bytes.AsSpan(bytes.Length / 2, 8).Fill(0xff);
        File.WriteAllBytes(path, bytes);
        Should.Throw<MalformedLedgerException>(() => new LedgerReader(path).Read().Count());
    }

    [Theory]
    [InlineData("t1,a1,31.1.1993,credit,internal,1,,,,", "date", "31.1.1993")]
    [InlineData("t1,a1,1993-01-31,sideways,internal,1,,,,", "direction", "sideways")]
    [InlineData("t1,a1,1993-01-31,credit,teleport,1,,,,", "operation", "teleport")]
    [InlineData("t1,a1,1993-01-31,credit,internal,much,,,,", "amount", "much")]
    [InlineData("t1,a1,1993-01-31,credit,internal,-3,,,,", "amount", "-3")]
    [InlineData("t1,a1,1993-01-31,credit,internal,1.005,,,,", "amount", "1.005")]
    [InlineData("t1,a1,1993-01-31,credit,internal,1,,nonsense,,", "category", "nonsense")]
    [InlineData(",a1,1993-01-31,credit,internal,1,,,,", "transaction_id", "empty")]
    [InlineData("t1,,1993-01-31,credit,internal,1,,,,", "account_id", "empty")]
    [InlineData("t1,a1,1993-01-31", "direction", "3 columns")]
    public void Read_malformed_row_names_line_and_column(string row, string column, string told)
    {
        MalformedLedgerException malformed = Should.Throw<MalformedLedgerException>(() => Read(Header, Row, row));
        malformed.Line.ShouldBe(3);
        malformed.Column.ShouldBe(column);
        malformed.Message.ShouldContain(told);
        malformed.Message.ShouldContain("ledger.csv, line 3, column " + column);
    }

    [Fact]
    public void Read_missing_column_is_named()
    {
        MalformedLedgerException malformed = Should.Throw<MalformedLedgerException>(() =>
            Read(Header.Replace("amount,", "", StringComparison.Ordinal)));
        malformed.Column.ShouldBe("amount");
    }

    [Fact]
    public void Read_empty_file_says_what_it_must_hold() =>
        Should.Throw<MalformedLedgerException>(() => Read("")).Message.ShouldContain("header line");

    [Fact]
    public void Survey_opens_each_account_with_the_overdraft_that_its_history_needs()
    {
        string path = Path.Combine(_folder, "ledger.csv");
        File.WriteAllLines(path, [Header, "t1,a1,1993-01-01,credit,internal,10,,,,", "t2,a1,1993-01-02,debit,internal,25.50,,,,",
            "t3,a1,1993-01-03,credit,internal,100,,,,", "t4,a2,1993-01-04,credit,internal,1,,,,"]);
        LedgerCommands commands = LedgerCommands.Survey(new LedgerReader(path));
        commands.MovementCount.ShouldBe(4);
        commands.Openings().Select(o => (o.AggregateId.Value, o.CommandId.Value, ((Domain.OpenAccount)o.Payload).OverdraftLimit))
            .ShouldBe([("a1", "open-a1", 1_550L), ("a2", "open-a2", 0L)]);
    }

    private List<LedgerRow> Read(params string[] lines)
    {
        string path = Path.Combine(_folder, "ledger.csv");
        File.WriteAllText(path, string.Join('\n', lines));
        return [.. new LedgerReader(path).Read()];
    }
}
