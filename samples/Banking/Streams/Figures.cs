using System.Globalization;

namespace Banking.Streams;

/// <summary>The figures of a ledger as one source has them, by the names that files of figures have. Not thread-safe.</summary>
internal sealed class Figures
{
    private readonly Dictionary<string, (long Count, long Sum)> _totals = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _accounts = new(StringComparer.Ordinal);
    private long _rows;
    private long _accountCount;
    private long _balances;

    /// <summary>Adds movements.</summary>
    public void AddRow(long count = 1) => _rows += count;

    /// <summary>Adds to a total, such as <c>category:household</c>.</summary>
    public void AddTotal(string name, long count, long amount)
    {
        (long before, long sum) = _totals.GetValueOrDefault(name);
        _totals[name] = (before + count, checked(sum + amount));
    }

    /// <summary>Adds an account.</summary>
    public void AddAccount(string id, long movements, long balance)
    {
        _accountCount++;
        _balances = checked(_balances + balance);
        _accounts[$"account {id} movements"] = Number(movements);
        _accounts[$"account {id} balance"] = Money.Format(balance);
    }

    /// <summary>All of them, in words.</summary>
    public Dictionary<string, string> InWords()
    {
        var words = new Dictionary<string, string>(_accounts)
        {
            ["rows"] = Number(_rows),
            ["accounts"] = Number(_accountCount),
            ["sumOfFinalBalances"] = Money.Format(_balances),
        };
        foreach ((string name, (long count, long sum)) in _totals)
            (words[$"{name} count"], words[$"{name} amount"]) = (Number(count), Money.Format(sum));
        return words;
    }

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
