using System.Buffers;
using System.Reflection;
using System.Text.Json;
using KafkaEventSourcing.Avro.Tests.Evolution;

namespace KafkaEventSourcing.Avro.Tests;

/// <summary>Unions as a closed hierarchy of records.</summary>
public sealed class UnionTests
{
    private static readonly Payment Card = new() { Means = new Card { Number = "4711" }, Note = null, Amounts = [1L, "two"] };

    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web) { RespectNullableAnnotations = true };

    public static TheoryData<Payment, string> Values => new()
    {
        { Card, """{"means":{"KafkaEventSourcing.Avro.Tests.Card":{"number":"4711"}},"note":null,"amounts":[{"long":1},{"string":"two"}],"other":{"int":0}}""" },
        { Card with { Means = new Cash { Coins = 3 }, Note = true, Amounts = [] }, """{"means":{"KafkaEventSourcing.Avro.Tests.Cash":{"coins":3}},"note":{"boolean":true},"amounts":[],"other":{"int":0}}""" },
        { Card with { Means = "cheque", Note = 0.5, Other = new Payment.OtherUnion.Array(["x", "y"]) }, """{"means":{"string":"cheque"},"note":{"double":0.5},"amounts":[{"long":1},{"string":"two"}],"other":{"array":["x","y"]}}""" },
        { Card with { Other = new Payment.OtherUnion.Bytes([1, 2]) }, """{"means":{"KafkaEventSourcing.Avro.Tests.Card":{"number":"4711"}},"note":null,"amounts":[{"long":1},{"string":"two"}],"other":{"bytes":"AQI="}}""" },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Value_of_a_union_is_read_as_it_was_written_in_Avro_and_in_JSON(Payment value, string json)
    {
        Payment read = AvroRecordType.Of<Payment>().Read(Encode(value)).ShouldBeOfType<Payment>();
        read.ShouldBe(value);
        read.GetHashCode().ShouldBe(value.GetHashCode());
        JsonSerializer.Serialize(value, Web).ShouldBe(json);
        JsonSerializer.Deserialize<Payment>(json, Web).ShouldBe(value);
    }

    [Fact]
    public void Switch_and_match_cover_the_branches()
    {
        static string Of(Payment.MeansUnion means) => means switch
        {
            Payment.MeansUnion.Card card => card.Value.Number,
            Payment.MeansUnion.Cash cash => $"{cash.Value.Coins}",
            Payment.MeansUnion.String text => text.Value,
            _ => throw new InvalidOperationException(),
        };

        Of(Card.Means).ShouldBe("4711");
        Card.Means.Match(card => card.Number, cash => "", text => text).ShouldBe("4711");
        typeof(Payment.MeansUnion).GetConstructors(BindingFlags.Instance | BindingFlags.Public).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("null")]
    [InlineData("\"4711\"")]
    [InlineData("{}")]
    [InlineData("""{"Card":{"number":"1"}}""")]
    [InlineData("""{"string":null}""")]
    [InlineData("""{"string":1}""")]
    [InlineData("""{"string":"a","int":1}""")]
    [InlineData("""{"string":"a","string":"b"}""")]
    public void JSON_that_is_not_one_branch_is_refused(string means) =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Payment>(
            $$"""{"means":{{means}},"note":null,"amounts":[]}""", Web));

    [Fact]
    public void Null_is_refused_where_the_union_has_none() =>
        Should.Throw<AvroEncodeException>(() => Encode(Card with { Means = null! })).Field.ShouldBe("Payment.means");

    [Fact]
    public void Branches_have_names_of_their_own()
    {
        GeneratedTypes types = GeneratedTypes.Of(
            """{"type":"record","name":"Names","namespace":"T.U","fields":[{"name":"a","type":["int",{"type":"record","name":"Equals","fields":[]},{"type":"record","name":"AUnion","fields":[]},{"type":"record","name":"Match","fields":[]},{"type":"record","name":"x.Int","fields":[]},{"type":"enum","name":"value","symbols":["A"]},{"type":"enum","name":"event","symbols":["A"]},{"type":"array","items":["string","int"]}]},{"name":"AUnion","type":"int"}]}""");
        Type names = types["T.U.Names"].Type;
        names.GetNestedTypes().SelectMany(t => AvroUnion.BranchesOf(t)).Select(b => $"{b.Type.DeclaringType!.Name}.{b.Type.Name}").ShouldBe(
            ["AUnion2.Int", "AUnion2.EqualsBranch", "AUnion2.AUnion", "AUnion2.MatchBranch", "AUnion2.IntBranch",
                "AUnion2.ValueBranch", "AUnion2.Event", "AUnion2.Array", "AArrayUnion.String", "AArrayUnion.Int"], ignoreOrder: true);
    }

    private static byte[] Encode(IAvroRecord value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new AvroWriter(buffer);
        value.WriteTo(ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
