using System.Globalization;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Subscriptions;
using Upgrade;

namespace KafkaEventSourcing.Upgrade.After;

/// <summary>
/// The same parcels later. A price is in cents since its second version, and has a currency since its third; to move is to leave and to
/// arrive; a weight has another namespace, another field, and is a measure now; a check that found nothing is read as none; the names of
/// parcels are withdrawn, and so is their type.
/// </summary>
public static class ParcelAfter
{
    /// <summary>The aggregate type as it is later.</summary>
    public static AggregateDefinition Parcels { get; } =
        AggregateDefinition.Define("parcel", new Parcel { Cents = 0, Place = "", Grams = 0, Steps = 0 })
            .Decides<HandleParcel>((_, handle) => handle.What switch
            {
                "post" => Decision.Accept(new Posted { Cents = handle.Number * 100, Currency = "EUR" }),
                "move" => Decision.Accept(new Left(), new Arrived { At = handle.Text }),
                _ => Decision.Accept(new Left(), new global::Upgrade.First.Moved { To = handle.Text }), // as nobody decides any more
            })
            .Evolves<Posted>((parcel, posted) => parcel with { Cents = posted.Cents })
            .Evolves<Left>((parcel, _) => parcel)
            .Evolves<Arrived>((parcel, arrived) => parcel with { Place = arrived.At, Steps = parcel.Steps + 1 })
            .Evolves<Measured>((parcel, measured) => parcel with { Grams = measured.Grams })
            .Evolves<Damaged>((parcel, _) => parcel with { Steps = parcel.Steps + 10 })
            .Upcasts((global::Upgrade.First.Posted old) => new global::Upgrade.Second.Posted { Cents = old.Euros * 100 })
            .Upcasts((global::Upgrade.Second.Posted old) => new Posted { Cents = old.Cents, Currency = "EUR" })
            .Upcasts<global::Upgrade.First.Moved>(old => [new Left(), new Arrived { At = old.To }])
            .Upcasts((Weighed old) => new Measured { Grams = old.Weight })
            .Upcasts<global::Upgrade.First.Checked>(old => old.Ok ? [] : [new Damaged()])
            .Ignores("Upgrade.First.Renamed")
            .Build();

    /// <summary>The application <paramref name="name"/> as it is later; <paramref name="told"/> gets each event.</summary>
    public static ApplicationDefinition Application(string name, Action<string> told) => EventSourcedApplication.Named(name,
        "Parcels, after their events changed.")
        .With(Parcels)
        .With(ProjectionDefinition.Define<ParcelDocument>("parcels")
            .Folds<Posted>((_, posted, r) => new ParcelDocument(r.AggregateId.Value, posted.Cents, ""))
            .Folds<Arrived>((document, arrived, r) => new ParcelDocument(r.AggregateId.Value, document?.Cents ?? 0, arrived.At))
            .Build())
        .With(ProjectionDefinition.Define<JournalDocument>("journal")
            .Folds<Posted>((document, posted, r) => With(document, r, $"{posted.Cents} {posted.Currency}"))
            .Folds<Left>((document, _, r) => With(document, r, "left"))
            .Folds<Arrived>((document, arrived, r) => With(document, r, arrived.At))
            .Folds<Measured>((document, measured, r) => With(document, r, $"{measured.Grams} g"))
            .Folds<Damaged>((document, _, r) => With(document, r, "damaged"))
            .Build())
        .With(Subscription.Named("teller").From(Parcels)
            .On<Posted>((_, context, _) => Tell(told, context))
            .On<Left>((_, context, _) => Tell(told, context))
            .On<Arrived>((_, context, _) => Tell(told, context))
            .On<Measured>((_, context, _) => Tell(told, context))
            .On<Damaged>((_, context, _) => Tell(told, context))
            .Build())
        .Build();

    /// <summary>The application as it would be if nobody had said what becomes of the old events.</summary>
    public static ApplicationDefinition Without(string name) => EventSourcedApplication.Named(name, "Parcels, which forgot their past.")
        .With(AggregateDefinition.Define("parcel", new Parcel { Cents = 0, Place = "", Grams = 0, Steps = 0 })
            .Decides<HandleParcel>((_, _) => Decision.Nothing)
            .Evolves<Posted>((parcel, posted) => parcel with { Cents = posted.Cents })
            .Build())
        .Build();

    /// <summary>
    /// The application with a type whose new field has no default, as what it is upcast to, or as it is if it is
    /// <paramref name="evolved"/>.
    /// </summary>
    public static ApplicationDefinition Demanding(string name, bool evolved)
    {
        AggregateBuilder<Parcel> parcel = AggregateDefinition.Define("parcel", new Parcel { Cents = 0, Place = "", Grams = 0, Steps = 0 })
            .Decides<HandleParcel>((_, _) => Decision.Nothing)
            .Evolves<Posted>((parcel, posted) => parcel with { Cents = posted.Cents })
            .Upcasts((global::Upgrade.First.Posted old) => new Posted { Cents = old.Euros * 100, Currency = "EUR" });
        return EventSourcedApplication.Named(name, "Parcels, with names that somebody gave.")
            .With((evolved
                ? parcel.Evolves<global::Upgrade.First.Renamed>((state, _) => state)
                : parcel.Upcasts<global::Upgrade.First.Renamed>(_ => [])).Build())
            .Build();
    }

    /// <summary>The application with <paramref name="type"/> ignored, and a weight upcast.</summary>
    public static ApplicationDefinition Ignoring(string type) => EventSourcedApplication.Named("parcels", "Parcels, some ignored.")
        .With(AggregateDefinition.Define("parcel", new Parcel { Cents = 0, Place = "", Grams = 0, Steps = 0 })
            .Decides<HandleParcel>((_, _) => Decision.Nothing)
            .Evolves<Measured>((parcel, measured) => parcel with { Grams = measured.Grams })
            .Upcasts((Weighed old) => new Measured { Grams = old.Weight })
            .Ignores(type)
            .Build())
        .Build();

    /// <summary>The application with a read model of what is upcast.</summary>
    public static ApplicationDefinition ReadingOld() => EventSourcedApplication.Named("parcels", "Parcels, read as before.")
        .With(Parcels)
        .With(ProjectionDefinition.Define<ParcelDocument>("parcels")
            .Folds<global::Upgrade.First.Moved>((_, moved, r) => new ParcelDocument(r.AggregateId.Value, 0, moved.To))
            .Build())
        .Build();

    /// <summary>What an event is, in words.</summary>
    public static string Describe(RecordedEvent recorded) => string.Create(CultureInfo.InvariantCulture,
        $"{recorded.AggregateId} {recorded.Version}.{recorded.Part} {recorded.Payload.GetType().Name}");

    /// <summary>What a state holds.</summary>
    public static (long Cents, string Place, long Grams, int Steps) Parts(object state)
    {
        var parcel = (Parcel)state;
        return (parcel.Cents, parcel.Place, parcel.Grams, parcel.Steps);
    }

    /// <summary>What is to be done with <paramref name="parcel"/>.</summary>
    public static CommandEnvelope Handle(string parcel, string what, long number = 0, string text = "") =>
        new(AggregateId.Parse(parcel), CommandId.Parse($"{parcel}-{what}-{number}-{text}"),
            new HandleParcel { What = what, Number = number, Text = text });

    private static Task Tell(Action<string> told, EventContext context)
    {
        told(Describe(context.Event));
        return Task.CompletedTask;
    }

    private static JournalDocument With(JournalDocument? document, RecordedEvent r, string line) =>
        new(r.AggregateId.Value, [.. document?.Lines ?? [], string.Create(CultureInfo.InvariantCulture, $"{r.Version}.{r.Part} {line}")]);

    private sealed record ParcelDocument(string Id, long Cents, string Place);

    private sealed record JournalDocument(string Id, IReadOnlyList<string> Lines);
}
