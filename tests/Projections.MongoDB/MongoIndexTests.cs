using KafkaEventSourcing.Projections.Tests;
using MongoDB.Bson.Serialization.Attributes;

namespace KafkaEventSourcing.Projections.MongoDB.Tests;

public sealed class MongoIndexTests
{
    [Fact]
    public void Of_indexes_have_the_names_of_fields_as_they_are_stored()
    {
        ProjectionDefinition<Order> orders = Orders()
            .Index(o => o.CustomerName, o => o.ShipTo.City, o => o.Lines.Select(l => l.Product), o => o.Renamed)
            .Index(i => i.Descending(o => o.PaidOn!.Value).Ascending(o => o.Id).Unique())
            .Build();
        IReadOnlyList<MongoIndex> indexes = MongoIndex.Of(orders);
        indexes.Select(i => (i.Projection, string.Join(", ", i.Fields), i.Unique)).ShouldBe(
            [("orders", "customerName, shipTo.city, lines.product, other", false), ("orders", "-paidOn, _id", true)]);
    }

    [Fact]
    public void Of_field_that_is_not_stored_is_refused_by_name() =>
        Should.Throw<InvalidOperationException>(() => MongoIndex.Of(Orders().Index(o => o.ShipTo.Zip).Build())).Message.ShouldBe(
            "The index field 'ShipTo.Zip' of the read model 'orders' is not stored.");

    private static ProjectionBuilder<Order> Orders() =>
        ProjectionDefinition.Define<Order>("orders").Inserts<Added>((_, r) => new Order { Id = r.AggregateId.Value });

    public sealed record Order
    {
        public required string Id { get; init; }

        public string CustomerName { get; init; } = "";

        public Place ShipTo { get; init; } = new();

        public List<Line> Lines { get; init; } = [];

        [BsonElement("other")]
        public int Renamed { get; init; }

        public DateOnly? PaidOn { get; init; }
    }

    public sealed record Place
    {
        public string City { get; init; } = "";

        [BsonIgnore]
        public string Zip { get; init; } = "";
    }

    public sealed record Line(string Product);
}
