using System.Globalization;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Projections;
using Upgrade;

namespace KafkaEventSourcing.Upgrade.After;

/// <summary>
/// The same wallets later: a payment's amount is named cents, there is a third channel, a note may be missing, and everything says by whom
/// it was; what was written before is by nobody. A wallet has a limit, and a second read model tells everything that happened.
/// </summary>
public static class WalletAfter
{
    private const long Limit = 1_000;

    /// <summary>The application <paramref name="name"/> as it is later.</summary>
    public static ApplicationDefinition Application(string name) => EventSourcedApplication.Named(name,
        "Wallets, after their schemas changed.")
        .With(AggregateDefinition.Define("wallet", new Wallet { Total = 0 })
            .Decides<Pay>((wallet, pay) => wallet.Total + pay.Cents <= Limit
                ? Decision.Accept(new Paid { Cents = pay.Cents, Channel = pay.Channel, Note = pay.Note, By = pay.By })
                : Decision.Reject("over-limit", $"There are {wallet.Total}, and {pay.Cents} more are too many."))
            .Decides<Refund>((_, refund) =>
                Decision.Accept(new Refunded { Amount = refund.Amount, Channel = refund.Channel, Note = refund.Note, By = refund.By }))
            .Evolves<Paid>((wallet, paid) => With(wallet, paid.Cents, paid.Channel, paid.By))
            .Evolves<Refunded>((wallet, refunded) => With(wallet, -refunded.Amount, refunded.Channel, refunded.By))
            .Build())
        .With(ProjectionDefinition.Define<TotalDocument>("totals")
            .Folds<Paid>((document, paid, r) => new TotalDocument(r.AggregateId.Value, (document?.Total ?? 0) + paid.Cents))
            .Folds<Refunded>((document, refunded, r) => new TotalDocument(r.AggregateId.Value, (document?.Total ?? 0) - refunded.Amount))
            .Build())
        .With(ProjectionDefinition.Define<JournalDocument>("journal")
            .Folds<Paid>((document, paid, r) => With(document, r.AggregateId.Value, paid.Cents, paid.Channel, paid.Note, paid.By))
            .Folds<Refunded>((document, refunded, r) =>
                With(document, r.AggregateId.Value, -refunded.Amount, refunded.Channel, refunded.Note, refunded.By))
            .Build())
        .Build();

    /// <summary>A payment to <paramref name="wallet"/>.</summary>
    public static CommandEnvelope Pay(string wallet, long cents, bool byWire = false, string? note = null, string by = "Ada") =>
        Of(wallet, new Pay { Cents = cents, Channel = byWire ? Channel.Wire : Channel.Card, Note = note, By = by });

    /// <summary>A refund from <paramref name="wallet"/>.</summary>
    public static CommandEnvelope Refund(string wallet, long amount, bool byWire = false, string? note = null, string by = "Ada") =>
        Of(wallet, new Refund { Amount = amount, Channel = byWire ? Channel.Wire : Channel.Card, Note = note, By = by });

    /// <summary>What a state holds.</summary>
    public static (long Total, long Wired, string? LastBy) Parts(object state)
    {
        var wallet = (Wallet)state;
        return (wallet.Total, wallet.Wired, wallet.LastBy);
    }

    private static CommandEnvelope Of(string wallet, object payload) =>
        new(AggregateId.Parse(wallet), CommandId.New(TimeProvider.System), payload);

    private static Wallet With(Wallet wallet, long cents, Channel channel, string by) =>
        new() { Total = wallet.Total + cents, Wired = wallet.Wired + (channel == Channel.Wire ? cents : 0), LastBy = by };

    private static JournalDocument With(JournalDocument? document, string wallet, long cents, Channel channel, string? note, string by) =>
        new(wallet, [.. document?.Lines ?? [], string.Create(CultureInfo.InvariantCulture, $"{cents} {channel} {note ?? "-"} {by}")]);

    private sealed record TotalDocument(string Id, long Total);

    private sealed record JournalDocument(string Id, IReadOnlyList<string> Lines);
}
