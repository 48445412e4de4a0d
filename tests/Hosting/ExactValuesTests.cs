using System.Text.Json;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Hosting.Http;

namespace KafkaEventSourcing.Hosting.Tests;

/// <summary>Decimals, times, numbers without end and unions in the JSON of the HTTP interface.</summary>
public sealed class ExactValuesTests
{
    [Theory]
    [InlineData("\"12.50\"")]
    [InlineData("12.50")]
    [InlineData("1250e-2")]
    public void Decimal_is_taken_as_text_and_as_a_number_with_its_digits(string json)
    {
        decimal value = JsonSerializer.Deserialize<decimal>(json, JsonFormat.Options);
        JsonSerializer.Serialize(value, JsonFormat.Options).ShouldBe("\"12.50\"");
        AvroDecimal exact = JsonSerializer.Deserialize<AvroDecimal>(json, JsonFormat.Options);
        JsonSerializer.Serialize(exact, JsonFormat.Options).ShouldBe("\"12.50\"");
    }

    // .NET rounds such a number without a word.
    [Theory]
    [InlineData("1.00000000000000000000000000000000001")]
    [InlineData("79228162514264337593543950336")]
    [InlineData("\"a\"")]
    [InlineData("null")]
    [InlineData("true")]
    public void Decimal_that_would_lose_digits_or_is_none_is_refused(string json) =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<decimal>(json, JsonFormat.Options));

    // .NET moves it by the zone of the machine.
    [Theory]
    [InlineData("\"2026-01-31T12:00:00Z\"")]
    [InlineData("\"2026-01-31T12:00:00+02:00\"")]
    public void Time_without_a_zone_is_refused_with_an_offset(string json) =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<DateTime>(json, JsonFormat.Options));

    [Fact]
    public void Time_without_a_zone_is_read_as_it_was_written()
    {
        DateTime value = JsonSerializer.Deserialize<DateTime>("\"2026-01-31T12:00:00.25\"", JsonFormat.Options);
        value.ShouldBe(new DateTime(2026, 1, 31, 12, 0, 0, 250));
        value.Kind.ShouldBe(DateTimeKind.Unspecified);
        JsonSerializer.Serialize(value, JsonFormat.Options).ShouldBe("\"2026-01-31T12:00:00.25\"");
    }

    // .NET gives it the zone of the machine: nodes in two zones made two events of one command.
    [Theory]
    [InlineData("\"2026-01-31T12:00:00\"")]
    [InlineData("\"2026-01-31\"")]
    [InlineData("\"0001-01-01T00:00:00+14:00\"")]
    [InlineData("7")]
    public void Time_without_an_offset_is_refused_where_one_is_wanted(string json) =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<DateTimeOffset>(json, JsonFormat.Options));

    [Theory]
    [InlineData("2026-01-31T12:00:00Z", "2026-01-31T12:00:00+00:00")]
    [InlineData("2026-01-31T12:00:00.25-05:30", "2026-01-31T12:00:00.25-05:30")]
    public void Time_with_an_offset_is_read_as_it_was_written(string text, string written)
    {
        DateTimeOffset? value = JsonSerializer.Deserialize<DateTimeOffset?>($"\"{text}\"", JsonFormat.Options);
        JsonSerializer.Serialize(value, JsonFormat.Options).Replace("\\u002B", "+", StringComparison.Ordinal).ShouldBe($"\"{written}\"");
    }

    // It was taken for an infinite one, which the state then could not be answered with.
    [Fact]
    public void Number_that_its_type_has_no_room_for_is_refused()
    {
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<double>("1e400", JsonFormat.Options));
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<double?>("-1e400", JsonFormat.Options));
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<float>("1e39", JsonFormat.Options));
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<double>("\"NaN\"", JsonFormat.Options));
        JsonSerializer.Deserialize<double>("1e308", JsonFormat.Options).ShouldBe(1e308);
        JsonSerializer.Serialize(0.1, JsonFormat.Options).ShouldBe("0.1");
        JsonSerializer.Serialize(JsonSerializer.Deserialize<float>("0.1", JsonFormat.Options), JsonFormat.Options).ShouldBe("0.1");
    }

    [Fact]
    public void Number_that_JSON_has_none_for_is_written_by_its_name() =>
        JsonSerializer.Serialize((double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity], JsonFormat.Options)
            .ShouldBe("""["NaN","Infinity","-Infinity"]""");

    // What may be null had no fields: 'dur.months is not a field here; there are none'.
    [Theory]
    [InlineData("""{"for":{"months":1}}""", "for.days is missing; it must be a whole number from 0 to 4,294,967,295.")]
    [InlineData("""{"for":{"months":-1,"days":2,"milliseconds":3}}""", "for.months must be a whole number from 0 to 4,294,967,295.")]
    [InlineData("""{"for":{"months":1,"days":2,"milliseconds":3,"x":4}}""",
        "for.x is not a field here; there are months, days, milliseconds.")]
    [InlineData("""{"for":"P1D"}""", "for must be an object.")]
    public void Mistake_in_a_duration_that_may_be_null_is_told_by_its_field(string json, string says) =>
        JsonMistake.Find(System.Text.Encoding.UTF8.GetBytes(json), typeof(Wait))!.Message.ShouldBe(says);

    [Theory]
    [InlineData("""{"means":{"string":7}}""", "means.string must be a text.")]
    [InlineData("""{"means":{"cash":7}}""", "means must be an object with one field, one of string, T.Card.")]
    [InlineData("""{"means":{"string":null}}""", "means.string is null; it must be a text.")]
    [InlineData("""{"means":{"T.Card":{"number":"a","holder":1}}}""", "means.T.Card.holder is not a field here; there are number.")]
    public void Mistake_in_a_union_is_told_by_its_branch(string json, string says) =>
        JsonMistake.Find(System.Text.Encoding.UTF8.GetBytes(json), typeof(Pay))!.Message.ShouldBe(says);

    [Fact]
    public void Example_of_a_union_is_its_first_branch() =>
        JsonSerializer.Serialize(SampleValue.Of(typeof(Pay)), JsonFormat.Options).ShouldBe("""{"means":{"string":"value"}}""");

    public sealed record Pay
    {
        public required MeansUnion Means { get; init; }

        // As the generator makes it.
        [System.Text.Json.Serialization.JsonConverter(typeof(AvroUnionJsonConverter))]
        public abstract record MeansUnion
        {
            private MeansUnion()
            {
            }

            [AvroBranch(0, "string")]
            public sealed record String(string Value) : MeansUnion;

            [AvroBranch(1, "T.Card")]
            public sealed record Card(HeldCard Value) : MeansUnion;
        }
    }

    public sealed record Wait
    {
        public AvroDuration? For { get; init; }
    }

    public sealed record HeldCard
    {
        public required string Number { get; init; }
    }
}
