using System.Globalization;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Projections;
using Upgrade;

namespace KafkaEventSourcing.Upgrade.After;

/// <summary>
/// The same purses later: a payment's amount is named cents, there is a third channel, a note may be missing, and everything says by whom it was; what was written before is by nobody. A purse has a limit, and a second
/// read model tells everything that happened.
/// </summary>
public static class PurseAfter
{
    private const long Limit = 1_000;

    /// <summary>The application <paramref name="name"/> as it is later.</summary>
    public static ApplicationDefinition Application(string name) => EventSourcedApplication.Named(name, "Purses, after their schemas changed.")
        .With(AggregateDefinition.Define("purse", new Purse { Total = 0 })
            .Decides<Pay>((purse, pay) => purse.Total + pay.Cents <= Limit
                ? Decision.Accept(new Paid { Cents = pay.Cents, Channel = pay.Channel, Note = pay.Note, By = pay.By })
                : Decision.Reject("over-limit", $"There are {purse.Total}, and {pay.Cents} more are too many."))
            .Decides<Refund>((_, refund) => Decision.Accept(new Refunded { Amount = refund.Amount, Channel = refund.Channel, Note = refund.Note, By = refund.By }))
            .Evolves<Paid>((purse, paid) => With(purse, paid.Cents, paid.Channel, paid.By))
            .Evolves<Refunded>((purse, refunded) => With(purse, -refunded.Amount, refunded.Channel, refunded.By))
            .Build())
        .With(ProjectionDefinition.Define<TotalDocument>("totals")
            .Folds<Paid>((document, paid, r) => new TotalDocument(r.AggregateId.Value, (document?.Total ?? 0) + paid.Cents))
            .Folds<Refunded>((document, refunded, r) => new TotalDocument(r.AggregateId.Value, (document?.Total ?? 0) - refunded.Amount))
            .Build())
        .With(ProjectionDefinition.Define<JournalDocument>("journal")
            .Folds<Paid>((document, paid, r) => With(document, r.AggregateId.Value, paid.Cents, paid.Channel, paid.Note, paid.By))
            .Folds<Refunded>((document, refunded, r) => With(document, r.AggregateId.Value, -refunded.Amount, refunded.Channel, refunded.Note, refunded.By))
            .Build())
        .Build();

    /// <summary>A payment to <paramref name="purse"/>.</summary>
    public static CommandEnvelope Pay(string purse, long cents, bool byWire = false, string? note = null, string by = "Ada") =>
        Of(purse, new Pay { Cents = cents, Channel = byWire ? Channel.Wire : Channel.Card, Note = note, By = by });

    /// <summary>A refund from <paramref name="purse"/>.</summary>
    public static CommandEnvelope Refund(string purse, long amount, bool byWire = false, string? note = null, string by = "Ada") =>
        Of(purse, new Refund { Amount = amount, Channel = byWire ? Channel.Wire : Channel.Card, Note = note, By = by });

    /// <summary>What a state holds.</summary>
    public static (long Total, long Wired, string? LastBy) Parts(object state)
    {
        var purse = (Purse)state;
        return (purse.Total, purse.Wired, purse.LastBy);
    }

    private static CommandEnvelope Of(string purse, object payload) => new(AggregateId.Parse(purse), CommandId.New(TimeProvider.System), payload);

    private static Purse With(Purse purse, long cents, Channel channel, string by) =>
        new() { Total = purse.Total + cents, Wired = purse.Wired + (channel == Channel.Wire ? cents : 0), LastBy = by };

    private static JournalDocument With(JournalDocument? document, string purse, long cents, Channel channel, string? note, string by) =>
        new(purse, [.. document?.Lines ?? [], string.Create(CultureInfo.InvariantCulture, $"{cents} {channel} {note ?? "-"} {by}")]);

    private sealed record TotalDocument(string Id, long Total);

    private sealed record JournalDocument(string Id, IReadOnlyList<string> Lines);
}
