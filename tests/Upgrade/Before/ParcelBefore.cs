using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Projections;
using Upgrade;
using Upgrade.First;

namespace KafkaEventSourcing.Upgrade.Before;

/// <summary>Parcels as they were first: posted for whole euros, moved in one step, renamed, weighed and checked.</summary>
public static class ParcelBefore
{
    /// <summary>The application <paramref name="name"/> as it was first.</summary>
    public static ApplicationDefinition Application(string name) => EventSourcedApplication.Named(name,
        "Parcels, before their events changed.")
        .With(AggregateDefinition.Define("parcel", new Parcel { Cents = 0, Place = "", Grams = 0, Steps = 0 })
            .Decides<HandleParcel>((_, handle) => Decision.Accept(handle.What switch
            {
                "post" => new Posted { Euros = handle.Number },
                "move" => new Moved { To = handle.Text },
                "weigh" => new Weighed { Grams = (int)handle.Number },
                "rename" => new Renamed { Name = handle.Text },
                _ => new Checked { Ok = handle.Number == 0 },
            }))
            .Evolves<Posted>((parcel, posted) => parcel with { Cents = posted.Euros * 100 })
            .Evolves<Moved>((parcel, moved) => parcel with { Place = moved.To, Steps = parcel.Steps + 1 })
            .Evolves<Weighed>((parcel, weighed) => parcel with { Grams = weighed.Grams })
            .Evolves<Renamed>((parcel, _) => parcel)
            .Evolves<Checked>((parcel, found) => found.Ok ? parcel : parcel with { Steps = parcel.Steps + 10 })
            .Build())
        .With(ProjectionDefinition.Define<ParcelDocument>("parcels")
            .Folds<Posted>((_, posted, r) => new ParcelDocument(r.AggregateId.Value, posted.Euros * 100, ""))
            .Folds<Moved>((document, moved, r) => new ParcelDocument(r.AggregateId.Value, document?.Cents ?? 0, moved.To))
            .Build())
        .Build();

    /// <summary>What is to be done with <paramref name="parcel"/>.</summary>
    public static CommandEnvelope Handle(string parcel, string what, long number = 0, string text = "") =>
        new(AggregateId.Parse(parcel), CommandId.Parse($"{parcel}-{what}-{number}-{text}"),
            new HandleParcel { What = what, Number = number, Text = text });

    private sealed record ParcelDocument(string Id, long Cents, string Place);
}
