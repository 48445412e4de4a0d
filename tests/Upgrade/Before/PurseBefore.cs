using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Projections;
using Upgrade;

namespace KafkaEventSourcing.Upgrade.Before;

/// <summary>Purses as they were first: payments of an amount, by card or in cash, each with a note.</summary>
public static class PurseBefore
{
    /// <summary>The application <paramref name="name"/> as it was first.</summary>
    public static ApplicationDefinition Application(string name) => EventSourcedApplication.Named(name, "Purses, before their schemas changed.")
        .With(AggregateDefinition.Define("purse", new Purse { Total = 0 })
            .Decides<Pay>((_, pay) => Decision.Accept(new Paid { Amount = pay.Amount, Channel = pay.Channel, Note = pay.Note }))
            .Decides<Refund>((_, refund) => Decision.Accept(new Refunded { Amount = refund.Amount, Channel = refund.Channel, Note = refund.Note }))
            .Evolves<Paid>((purse, paid) => new Purse { Total = purse.Total + paid.Amount })
            .Evolves<Refunded>((purse, refunded) => new Purse { Total = purse.Total - refunded.Amount })
            .Build())
        .With(ProjectionDefinition.Define<TotalDocument>("totals")
            .Folds<Paid>((document, paid, r) => new TotalDocument(r.AggregateId.Value, (document?.Total ?? 0) + paid.Amount))
            .Folds<Refunded>((document, refunded, r) => new TotalDocument(r.AggregateId.Value, (document?.Total ?? 0) - refunded.Amount))
            .Build())
        .Build();

    /// <summary>A payment to <paramref name="purse"/>.</summary>
    public static CommandEnvelope Pay(string purse, long amount, bool inCash = false, string note = "") =>
        Of(purse, new Pay { Amount = amount, Channel = inCash ? Channel.Cash : Channel.Card, Note = note });

    /// <summary>A refund from <paramref name="purse"/>.</summary>
    public static CommandEnvelope Refund(string purse, long amount, string note = "") => Of(purse, new Refund { Amount = amount, Channel = Channel.Card, Note = note });

    /// <summary>The total of a state.</summary>
    public static long Total(object state) => ((Purse)state).Total;

    private static CommandEnvelope Of(string purse, object payload) => new(AggregateId.Parse(purse), CommandId.New(TimeProvider.System), payload);

    private sealed record TotalDocument(string Id, long Total);
}
