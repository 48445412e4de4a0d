using Banking.Domain;
using KafkaEventSourcing.Streamiz;

namespace Banking.Streams;

/// <summary>
/// What is derived from the bank's events, one of each kind: the states of accounts and transfers, a topic per event type of accounts, what
/// accounts turn over by month, and transfers beside who pays them. Nobody decides by it.
/// </summary>
internal static class BankStreams
{
    /// <summary>The totals: by month, category, direction and currency.</summary>
    public const string Turnover = "turnover";

    /// <summary>The join: a transfer and its payer.</summary>
    public const string TransfersWithPayers = "transfers-with-payers";

    /// <summary>The definition.</summary>
    public static EventStreamsDefinition Definition { get; } = EventStreams.Define("bank-streams")
        .From(Account.Definition)
        .From(Transfer.Definition)
        .Snapshot(Account.Definition)
        .Snapshot(Transfer.Definition)
        .PerEventType(Account.Definition)
        .Totals(Turnover, CalendarWindow.Month, "Europe/Prague", totals => totals
            .Add<AccountCredited>(Account.Definition, credited => new TotalEntry(
                TurnoverKey.Of(credited.Category, TurnoverKey.Credit, credited.Currency), credited.Amount, credited.BookedOn))
            .Add<AccountDebited>(Account.Definition, debited => new TotalEntry(
                TurnoverKey.Of(debited.Category, TurnoverKey.Debit, debited.Currency), debited.Amount, debited.BookedOn)))
        .Join(TransfersWithPayers, Transfer.Definition, Account.Definition, transfer => transfer.Payer, (transfer, payer) =>
            new TransferWithPayer
            {
                Status = transfer.Status,
                Amount = transfer.Amount,
                Currency = transfer.Currency,
                Receiver = transfer.Receiver,
                Payer = transfer.Payer,
                PayerOwner = payer?.Owner,
                PayerBalance = payer?.Balance ?? 0,
            })
        .Build();
}
