using System.Runtime.CompilerServices;
using Banking.Domain;
using Banking.Ledger;
using KafkaEventSourcing.Streamiz;

namespace Banking.Streams;

/// <summary>
/// The figures that <see cref="ExpectedFigures"/> has, as the topics of the streams give them: accounts and balances by the snapshots,
/// categories and directions by the turnover of all months, rows and operations by the topics of credits and debits.
/// </summary>
internal static class FiguresOfStreams
{
    /// <summary>Reads the topics.</summary>
    public static async Task<Figures> ReadAsync(EventStreamsReader streams, CancellationToken cancellationToken)
    {
        var figures = new Figures();
        await foreach (StreamSnapshot<AccountState> account in streams.ReadSnapshotsAsync(Account.Definition, cancellationToken)
            .ConfigureAwait(false))
            figures.AddAccount(account.AggregateId.Value, account.State.Credits + account.State.Debits, account.State.Balance);
        await foreach (RunningTotal total in streams.ReadTotalsAsync(BankStreams.Turnover, cancellationToken).ConfigureAwait(false))
        {
            var key = TurnoverKey.Parse(total.Key);
            figures.AddTotal($"category:{key.Category}", total.Count, total.Sum);
            figures.AddTotal($"direction:{key.Direction}", total.Count, total.Sum);
        }

        await foreach (AccountCredited credited in Once<AccountCredited>(streams, cancellationToken).ConfigureAwait(false))
            AddMovement(credited.Operation, credited.Amount);
        await foreach (AccountDebited debited in Once<AccountDebited>(streams, cancellationToken).ConfigureAwait(false))
            AddMovement(debited.Operation, debited.Amount);
        return figures;

        void AddMovement(Operation operation, long amount)
        {
            figures.AddRow();
            figures.AddTotal($"operation:{Names.Of(operation)}", 1, amount);
        }
    }

    // At-least-once an event may be in its topic again: its aggregate's version says so.
    private static async IAsyncEnumerable<TEvent> Once<TEvent>(EventStreamsReader streams,
        [EnumeratorCancellation] CancellationToken cancellationToken)
        where TEvent : class
    {
        var last = new Dictionary<AggregateId, long>();
        await foreach (RecordedEvent recorded in streams.ReadEventsAsync<TEvent>(Account.Definition, cancellationToken)
            .ConfigureAwait(false))
        {
            if (recorded.Version <= last.GetValueOrDefault(recorded.AggregateId))
                continue;
            last[recorded.AggregateId] = recorded.Version;
            yield return (TEvent)recorded.Payload;
        }
    }
}
