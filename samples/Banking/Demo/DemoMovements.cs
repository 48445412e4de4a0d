using System.Globalization;
using Banking.Domain;

namespace Banking.Demo;

/// <summary>Seeded movements: the same seed gives the same bank, down to the last command id.</summary>
internal sealed class DemoMovements(int accounts, int movements, int seed)
{
    private const string Currency = "CZK";
    private const long OverdraftLimit = 1_000_000;
    private static readonly DateOnly FirstDay = new(2024, 1, 1);
    private static readonly Operation[] Incoming = [Operation.CashDeposit, Operation.TransferIn, Operation.Internal];
    private static readonly Operation[] Outgoing = [Operation.CashWithdrawal, Operation.CardWithdrawal, Operation.TransferOut];
    private static readonly Category[] Categories = Enum.GetValues<Category>();

    /// <summary>One command an account.</summary>
    public IEnumerable<CommandEnvelope> Openings()
    {
        for (int i = 0; i < accounts; i++)
        {
            yield return Envelope(i, string.Create(CultureInfo.InvariantCulture, $"open-{i}"), FirstDay, new OpenAccount
            {
                Owner = string.Create(CultureInfo.InvariantCulture, $"Customer {i}"),
                Currency = Currency,
                OverdraftLimit = OverdraftLimit,
                OpenedOn = FirstDay,
            });
        }
    }

    /// <summary>Credits and debits over a year, in the order of their days; some debits are more than an account allows.</summary>
    public IEnumerable<CommandEnvelope> Movements()
    {
        var random = new Random(seed);
        for (int i = 0; i < movements; i++)
        {
            int account = random.Next(accounts);
            DateOnly day = FirstDay.AddDays((int)((long)i * 365 / movements));
            long amount = random.NextInt64(100, 500_000);
            Category category = Categories[random.Next(Categories.Length)];
            bool credit = random.Next(100) < 55;
            string id = string.Create(CultureInfo.InvariantCulture, $"movement-{i}");
            yield return credit
                ? Envelope(account, id, day, new Credit
                {
                    Amount = amount,
                    Currency = Currency,
                    BookedOn = day,
                    Operation = Incoming[random.Next(Incoming.Length)],
                    Category = category,
                })
                : Envelope(account, id, day, new Debit
                {
                    Amount = amount,
                    Currency = Currency,
                    BookedOn = day,
                    Operation = Outgoing[random.Next(Outgoing.Length)],
                    Category = category,
                });
        }
    }

    private static CommandEnvelope Envelope<TCommand>(int account, string commandId, DateOnly day, TCommand command)
        where TCommand : class =>
        new(AggregateId.Parse(string.Create(CultureInfo.InvariantCulture, $"account-{account:D6}")), CommandId.Parse(commandId), command)
        {
            Time = new DateTimeOffset(day.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero),
        };
}
