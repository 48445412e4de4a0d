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

    // Apache's writer wrote a day as the instant of its midnight: it had one type for both, and the first branch took it.
    [Theory]
    [InlineData("timestamp-millis", "date", "0288A302")]
    [InlineData("timestamp-micros", "date", "0288A302")]
    [InlineData("timestamp-micros", "date", "0088A302")]
    [InlineData("time-micros", "time-millis", "0288A302")]
    [InlineData("time-micros", "time-millis", "0080E2CFAA03")] // 446.4 s
    [InlineData("timestamp-nanos", "date", "0288A302")]
    public void Days_and_instants_in_a_union_keep_their_branches_in_Apaches_writer(string longer, string shorter, string encoded)
    {
        byte[] bytes = [.. Convert.FromHexString(encoded), 6, 8]; // then a day and a time that are in no union
        AvroRecordType type = GeneratedTypes.Of(
            $$$$"""
            {"type":"record","name":"When","namespace":"T.U","fields":[{"name":"at","type":[{"type":"long",
            "logicalType":"{{{{longer}}}}"},{"type":{"type":"int","logicalType":"{{{{shorter}}}}"}},"null"]},{"name":"day",
            "type":{"type":"int","logicalType":"date"},"default":0},{"name":"time","type":{"type":"long","logicalType":"time-micros"},
            "default":0}]}
            """)["T.U.When"];
        IAvroRecord value = type.Read(bytes);
        using var stream = new MemoryStream();
        new global::Avro.Specific.SpecificDefaultWriter(type.Schema).Write(value, new global::Avro.IO.BinaryEncoder(stream));
        stream.ToArray().ShouldBe(bytes);
        var put = (global::Avro.Specific.ISpecificRecord)Activator.CreateInstance(type.Type)!;
        for (int i = 0; i < type.Parsed.Fields.Count; i++)
            put.Put(i, ((global::Avro.Specific.ISpecificRecord)value).Get(i));
        put.ShouldBe(value);
    }

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
