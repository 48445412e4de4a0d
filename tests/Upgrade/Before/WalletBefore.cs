using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Projections;
using Upgrade;

namespace KafkaEventSourcing.Upgrade.Before;

/// <summary>Wallets as they were first: payments of an amount, by card or in cash, each with a note.</summary>
public static class WalletBefore
{
    /// <summary>The application <paramref name="name"/> as it was first.</summary>
    public static ApplicationDefinition Application(string name) => EventSourcedApplication.Named(name,
        "Wallets, before their schemas changed.")
        .With(AggregateDefinition.Define("wallet", new Wallet { Total = 0 })
            .Decides<Pay>((_, pay) => Decision.Accept(new Paid { Amount = pay.Amount, Channel = pay.Channel, Note = pay.Note }))
            .Decides<Refund>((_, refund) =>
                Decision.Accept(new Refunded { Amount = refund.Amount, Channel = refund.Channel, Note = refund.Note }))
            .Evolves<Paid>((wallet, paid) => new Wallet { Total = wallet.Total + paid.Amount })
            .Evolves<Refunded>((wallet, refunded) => new Wallet { Total = wallet.Total - refunded.Amount })
            .Build())
        .With(ProjectionDefinition.Define<TotalDocument>("totals")
            .Folds<Paid>((document, paid, r) => new TotalDocument(r.AggregateId.Value, (document?.Total ?? 0) + paid.Amount))
            .Folds<Refunded>((document, refunded, r) => new TotalDocument(r.AggregateId.Value, (document?.Total ?? 0) - refunded.Amount))
            .Build())
        .Build();

    /// <summary>A payment to <paramref name="wallet"/>.</summary>
    public static CommandEnvelope Pay(string wallet, long amount, bool inCash = false, string note = "") =>
        Of(wallet, new Pay { Amount = amount, Channel = inCash ? Channel.Cash : Channel.Card, Note = note });

    /// <summary>A refund from <paramref name="wallet"/>.</summary>
    public static CommandEnvelope Refund(string wallet, long amount, string note = "") =>
        Of(wallet, new Refund { Amount = amount, Channel = Channel.Card, Note = note });

    /// <summary>The total of a state.</summary>
    public static long Total(object state) => ((Wallet)state).Total;

    private static CommandEnvelope Of(string wallet, object payload) =>
        new(AggregateId.Parse(wallet), CommandId.New(TimeProvider.System), payload);

    private sealed record TotalDocument(string Id, long Total);
}
