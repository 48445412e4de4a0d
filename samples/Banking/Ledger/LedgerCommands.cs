using System.Globalization;
using Banking.Domain;

namespace Banking.Ledger;

/// <summary>Turns ledger rows into commands. All ids follow from the file, so that a second import changes nothing.</summary>
internal sealed class LedgerCommands
{
    private const string Currency = "CZK";

    private readonly Dictionary<string, Account> _accounts = [];

    private LedgerCommands()
    {
    }

    /// <summary>How many accounts the ledger has.</summary>
    public int AccountCount => _accounts.Count;

    /// <summary>How many movements it has.</summary>
    public long MovementCount { get; private set; }

    /// <summary>
    /// Reads the whole ledger once, which finds malformed rows before anything is sent, and each account's deepest overdraft.
    /// </summary>
    /// <exception cref="MalformedLedgerException">A row cannot be read.</exception>
    public static LedgerCommands Survey(LedgerReader reader)
    {
        var commands = new LedgerCommands();
        foreach (LedgerRow row in reader.Read())
        {
            commands.MovementCount++;
            if (!commands._accounts.TryGetValue(row.AccountId, out Account? account))
                commands._accounts.Add(row.AccountId, account = new Account(row.Date));
            account.Book(row.IsCredit ? row.Amount : -row.Amount);
        }

        return commands;
    }

    /// <summary>One command an account: opened on the day of its first movement, with the overdraft that its history needs.</summary>
    public IEnumerable<CommandEnvelope> Openings()
    {
        foreach ((string id, Account account) in _accounts)
        {
            yield return Envelope(id, $"open-{id}", account.OpenedOn, new OpenAccount
            {
                Owner = string.Create(CultureInfo.InvariantCulture, $"Holder of {id}"),
                Currency = Currency,
                OverdraftLimit = account.DeepestOverdraft,
                OpenedOn = account.OpenedOn,
            });
        }
    }

    /// <summary>One command a movement, in the order of the file; the transaction id is the command id.</summary>
    public static IEnumerable<CommandEnvelope> Movements(LedgerReader reader)
    {
        foreach (LedgerRow row in reader.Read())
        {
            yield return row.IsCredit
                ? Envelope(row.AccountId, row.TransactionId, row.Date, new Credit
                {
                    Amount = row.Amount, Currency = Currency, BookedOn = row.Date, Operation = row.Operation, Category = row.Category,
                    PartnerBank = row.PartnerBank, PartnerAccount = row.PartnerAccount,
                })
                : Envelope(row.AccountId, row.TransactionId, row.Date, new Debit
                {
                    Amount = row.Amount, Currency = Currency, BookedOn = row.Date, Operation = row.Operation, Category = row.Category,
                    PartnerBank = row.PartnerBank, PartnerAccount = row.PartnerAccount,
                });
        }
    }

    private static CommandEnvelope Envelope<TCommand>(string accountId, string commandId, DateOnly day, TCommand command)
        where TCommand : class =>
        new(AggregateId.Parse(accountId), CommandId.Parse(commandId), command)
        {
            Time = new DateTimeOffset(day.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero),
        };

    private sealed class Account(DateOnly openedOn)
    {
        private long _balance;
        private long _lowest;

        public DateOnly OpenedOn => openedOn;

        public long DeepestOverdraft => -_lowest;

        public void Book(long amount)
        {
            _balance = checked(_balance + amount);
            _lowest = Math.Min(_lowest, _balance);
        }
    }
}
