namespace Banking.Ledger;

/// <summary>A ledger file has a row that cannot be read; the message says where and why.</summary>
internal sealed class MalformedLedgerException(string file, long line, string column, string reason)
    : Exception($"{file}, line {line}, column {column}: {reason}")
{
    public long Line => line;

    public string Column => column;
}
