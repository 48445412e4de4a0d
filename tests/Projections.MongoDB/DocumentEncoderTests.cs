using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using MongoDB.Bson.Serialization.Attributes;

namespace KafkaEventSourcing.Projections.MongoDB.Tests;

/// <summary>Documents are the same bytes, whether the driver's class map writes them or the store does.</summary>
public sealed class DocumentEncoderTests
{
    [Fact]
    public void Fields_of_every_kind_are_the_bytes_of_the_driver() => ShouldEncodeAsTheDriver(new Everything
    {
        Id = "k\u00e9y/1", Text = "\u6f22\U0001F600", Missing = null, Small = int.MinValue, Large = long.MaxValue, Ratio = -0.1,
        Flag = true, On = new DateTime(2026, 7, 1, 12, 30, 0, DateTimeKind.Utc),
        PerhapsOn = null, Perhaps = 7, PerhapsText = DayOfWeek.Friday, Exact = 12.34m, Tags = ["a", "b"], Nested = new Inner(3, "three"),
        Names = new() { ["x"] = 1 }, Key = Guid.Empty.ToString(), Single = 1.5f,
    });

    [Fact]
    public void Fields_that_are_empty_are_the_bytes_of_the_driver() =>
        ShouldEncodeAsTheDriver(new Everything { Id = "", PerhapsOn = DateTime.UnixEpoch });

    [Fact]
    public void Type_with_conditions_is_written_by_the_driver_itself() =>
        ShouldEncodeAsTheDriver(new Conditional { Id = "1", Absent = null, Present = "x" });

    [Fact]
    public void Derived_document_keeps_its_discriminator() => ShouldEncodeAsTheDriver<Base>(new Derived { Id = "1", More = 2 });

    [Fact]
    public void Key_that_is_declared_last_is_written_first() => ShouldEncodeAsTheDriver(new KeyLast { Value = 1, Id = "1" });

    [Fact]
    public void Text_that_is_no_Unicode_is_refused()
    {
        using var buffer = new BsonBuffer();
        Should.Throw<ArgumentException>(() => EncoderOf<KeyLast>().WriteFields(new KeyLast { Id = "\ud800", Value = 1 }, buffer));
    }

    private static DocumentEncoder<TDocument> EncoderOf<TDocument>()
        where TDocument : class
    {
        DocumentConventions.Apply(typeof(TDocument));
        return new DocumentEncoder<TDocument>(BsonClassMap.LookupClassMap(typeof(TDocument)));
    }

    private static void ShouldEncodeAsTheDriver<TDocument>(TDocument document)
        where TDocument : class
    {
        DocumentEncoder<TDocument> encoder = EncoderOf<TDocument>();
        using var buffer = new BsonBuffer();
        int start = buffer.StartDocument();
        encoder.WriteFields(document, buffer);
        buffer.EndDocument(start);
        byte[] expected = document.ToBson(args: new BsonSerializationArgs(typeof(TDocument), serializeAsNominalType: false,
            serializeIdFirst: true));
        Convert.ToHexString(buffer.Written).ShouldBe(Convert.ToHexString(expected));
    }

    public sealed record Inner(int Number, string Name);

    public sealed record Everything
    {
        public string Id { get; init; } = "";

        public string Text { get; init; } = "";

        public string? Missing { get; init; }

        public int Small { get; init; }

        public long Large { get; init; }

        public double Ratio { get; init; }

        public bool Flag { get; init; }

        public DateTime On { get; init; }

        public DateTime? PerhapsOn { get; init; }

        public long? Perhaps { get; init; }

        public DayOfWeek? PerhapsText { get; init; }

        public decimal Exact { get; init; }

        public string[] Tags { get; init; } = [];

        public Inner? Nested { get; init; }

        public Dictionary<string, int> Names { get; init; } = [];

        public DayOfWeek Weekday { get; init; }

        [BsonRepresentation(BsonType.String)]
        public long Shown { get; init; }

        public string Key { get; init; } = "";

        public float Single { get; init; }
    }

    public sealed record Conditional
    {
        public string Id { get; init; } = "";

        [BsonIgnoreIfNull]
        public string? Absent { get; init; }

        public string? Present { get; init; }
    }

    public record Base
    {
        public string Id { get; init; } = "";
    }

    public sealed record Derived : Base
    {
        public int More { get; init; }
    }

    public sealed record KeyLast
    {
        public int Value { get; init; }

        public string Id { get; init; } = "";
    }
}
