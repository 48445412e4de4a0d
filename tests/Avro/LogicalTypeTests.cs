using System.Buffers;
using System.Globalization;
using System.Numerics;
using KafkaEventSourcing.Avro.Tests.Evolution;

namespace KafkaEventSourcing.Avro.Tests;

/// <summary>Logical types and fixed as C# has them: their bytes, and what is refused.</summary>
public sealed class LogicalTypeTests
{
    private const string Uuid = "00112233-4455-6677-8899-aabbccddeeff";
    private const string Decimal = """{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""";
    private const string FixedDecimal = """{"type":"fixed","name":"D","size":5,"logicalType":"decimal","precision":9,"scale":2}""";
    private const string LongDecimal = """{"type":"bytes","logicalType":"decimal","precision":40,"scale":2}""";

    public static TheoryData<string, object, byte[]> Encodings => new()
    {
        { """{"type":"string","logicalType":"uuid"}""", new Guid(Uuid), [72, .. System.Text.Encoding.ASCII.GetBytes(Uuid)] },
        { """{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}""", new Guid(Uuid), Convert.FromHexString(Uuid.Replace("-", "", StringComparison.Ordinal)) },
        { Decimal, 0.00m, [2, 0] },
        { Decimal, 1.27m, [2, 127] },
        { Decimal, 1.28m, [4, 0, 128] },
        { Decimal, -1.28m, [2, 128] },
        { Decimal, -1.29m, [4, 255, 127] },
        { Decimal, 9_999_999.99m, [8, 0x3b, 0x9a, 0xc9, 0xff] },
        { FixedDecimal, -1.28m, [255, 255, 255, 255, 128] },
        { FixedDecimal, 9_999_999.99m, [0, 0x3b, 0x9a, 0xc9, 0xff] },
        { LongDecimal, AvroDecimal.Parse("-999999999999999999.99"), [18, 0xfa, 0x94, 0x38, 0xa1, 0xd2, 0x9c, 0xf0, 0x00, 0x01] },
        { """{"type":"int","logicalType":"time-millis"}""", new TimeOnly(0, 0, 1, 2), [0xd4, 15] },
        { """{"type":"long","logicalType":"time-micros"}""", new TimeOnly(10_020), [0xd4, 15] },
        { """{"type":"long","logicalType":"timestamp-nanos"}""", DateTimeOffset.UnixEpoch.AddTicks(-1), [199, 1] },
        { """{"type":"long","logicalType":"local-timestamp-millis"}""", new DateTime(1970, 1, 1, 0, 0, 1, 2), [0xd4, 15] },
        { """{"type":"long","logicalType":"local-timestamp-micros"}""", new DateTime(10_020).AddYears(1969), [0xd4, 15] },
        { """{"type":"long","logicalType":"local-timestamp-nanos"}""", new DateTime(1).AddYears(1969), [0xc8, 1] },
        { """{"type":"fixed","name":"P","size":12,"logicalType":"duration"}""", new AvroDuration(1, 256, uint.MaxValue), [1, 0, 0, 0, 0, 1, 0, 0, 255, 255, 255, 255] },
        { """{"type":"fixed","name":"F","size":3}""", new byte[] { 1, 2, 255 }, [1, 2, 255] },
    };

    [Theory]
    [MemberData(nameof(Encodings))]
    public void Value_has_the_bytes_that_the_specification_gives_it(string type, object value, byte[] bytes)
    {
        AvroRecordType record = Of(type);
        IAvroRecord read = record.Read(bytes);
        GeneratedTypes.ValueOf(read, "V").ShouldBe(value);
        Encode(With(record, value)).ShouldBe(bytes);
        With(record, value).ShouldBe(read);
        With(record, value).GetHashCode().ShouldBe(read.GetHashCode());
    }

    [Theory]
    [InlineData(Decimal, "12345678.00", "does not fit a decimal of 9 digits, 2 of them behind the point")]
    [InlineData(Decimal, "0.001", "is not rounded")]
    [InlineData(Decimal, "-79228162514264337593543950335", "does not fit")]
    [InlineData(FixedDecimal, "10000000", "does not fit")]
    public void Number_that_its_schema_has_no_room_for_is_refused_and_not_rounded(string type, string number, string says) =>
        Refused(With(Of(type), decimal.Parse(number, CultureInfo.InvariantCulture)), says);

    [Fact]
    public void Other_values_that_their_schema_has_no_room_for_are_refused()
    {
        Refused(With(Of(LongDecimal), AvroDecimal.Parse("1.001")), "is not rounded");
        Refused(With(Of(LongDecimal), new AvroDecimal(BigInteger.Pow(10, 38), 0)), "does not fit");
        Refused(With(Of("""{"type":"fixed","name":"F","size":3}"""), new byte[2]), "has 2 bytes; the schema has 3");
        Refused(With(Of("""{"type":"long","logicalType":"timestamp-nanos"}"""), new DateTimeOffset(2263, 1, 1, 0, 0, 0, TimeSpan.Zero)),
            "1677 to 2262");
        Refused(With(Of("""{"type":"long","logicalType":"local-timestamp-nanos"}"""), new DateTime(1600, 1, 1)), "1677 to 2262");
    }

    // Folded from the log again, the state has the same digits, zone and fractions.
    [Fact]
    public void Value_is_kept_from_the_start_as_its_schema_has_it()
    {
        Kept(Decimal, 1.5m).ShouldBe("1.50");
        Kept(Decimal, 1.500m).ShouldBe("1.50");
        Kept(Decimal, 1.501m).ShouldBe("1.501"); // refused when it is written
        Kept(LongDecimal, AvroDecimal.Parse("2")).ShouldBe("2.00");
        Kept("""{"type":"int","logicalType":"time-millis"}""", new TimeOnly(19_999)).ShouldBe(new TimeOnly(10_000).ToString(CultureInfo.InvariantCulture));
        var local = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);
        IAvroRecord millis = With(Of("""{"type":"long","logicalType":"local-timestamp-millis"}"""), local.AddTicks(7));
        var kept = (DateTime)GeneratedTypes.ValueOf(millis, "V")!;
        kept.ShouldBe(local);
        kept.Kind.ShouldBe(DateTimeKind.Unspecified);
        AvroRecordType times = Of("""{"type":"array","items":["null",{"type":"long","logicalType":"timestamp-millis"}]}""");
        IAvroRecord list = With(times,
            new List<DateTimeOffset?> { new DateTimeOffset(2026, 1, 1, 2, 0, 0, TimeSpan.FromHours(2)).AddTicks(7), null });
        list.ShouldBe(times.Read(Encode(list)));
    }

    [Theory]
    [InlineData("""{"type":"string","logicalType":"uuid"}""", new byte[] { 2, 97 }, "not a UUID")]
    [InlineData(Decimal, new byte[] { 0 }, "no bytes")]
    [InlineData(Decimal, new byte[] { 10, 0, 0x3b, 0x9a, 0xca, 0 }, "more than the 9 digits")]
    [InlineData(Decimal, new byte[] { 40, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, "more than the 9 digits")]
    [InlineData("""{"type":"int","logicalType":"time-millis"}""", new byte[] { 1 }, "not between midnight and midnight")]
    [InlineData("""{"type":"int","logicalType":"time-millis"}""", new byte[] { 0x80, 0xf0, 0xb2, 0x52 }, "not between midnight and midnight")]
    [InlineData("""{"type":"fixed","name":"F","size":3}""", new byte[] { 1, 2 }, "3 bytes are needed; 2 are left")]
    [InlineData("""{"type":"long","logicalType":"timestamp-nanos"}""", new byte[] { 255, 255, 255, 255, 255, 255, 255, 255, 255, 1 }, "1677 to 2262")]
    public void Bytes_that_are_not_a_value_are_refused(string type, byte[] bytes, string says) =>
        Should.Throw<AvroDecodeException>(() => Of(type).Read(bytes)).Message.ShouldContain(says);

    // As other numbers may: more bytes than it needs.
    [Fact]
    public void Number_with_leading_bytes_is_read() =>
        GeneratedTypes.ValueOf(Of(Decimal).Read([40, .. Enumerable.Repeat((byte)255, 19), 128]), "V").ShouldBe(-1.28m);

    [Fact]
    public void Nanoseconds_are_rounded_down_to_the_hundred() =>
        GeneratedTypes.ValueOf(Of("""{"type":"long","logicalType":"timestamp-nanos"}""").Read([1]), "V").ShouldBe(
            DateTimeOffset.UnixEpoch.AddTicks(-1));

    [Theory]
    [InlineData("0", "0")]
    [InlineData("-0.50", "-0.50")]
    [InlineData("1e3", "1000")]
    [InlineData("1.5E-3", "0.0015")]
    [InlineData("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789")]
    public void AvroDecimal_reads_what_it_writes(string text, string digits)
    {
        AvroDecimal.Parse(text).ToString().ShouldBe(digits);
        AvroDecimal.Parse(digits).ShouldBe(AvroDecimal.Parse(text));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" 1")]
    [InlineData("1.")]
    [InlineData(".5")]
    [InlineData("-.5")]
    [InlineData("1,5")]
    [InlineData("0x1")]
    [InlineData("1e99999999999")]
    [InlineData("1e20000")]
    [InlineData("NaN")]
    public void AvroDecimal_refuses_what_is_not_a_number(string text) => AvroDecimal.TryParse(text, null, out _).ShouldBeFalse();

    [Fact]
    public void AvroDecimals_are_compared_as_numbers()
    {
        AvroDecimal half = 0.5m, same = AvroDecimal.Parse("0.500"), more = AvroDecimal.Parse("0.5001");
        (half == same).ShouldBeTrue();
        half.GetHashCode().ShouldBe(same.GetHashCode());
        (half < more && more > same && half <= same && half != more).ShouldBeTrue();
        new[] { more, half, -1m }.Order().ShouldBe([-1m, half, more]);
        ((decimal)more).ShouldBe(0.5001m);
        AvroDecimal.FromDecimal(decimal.MinValue).ToDecimal().ShouldBe(decimal.MinValue);
        AvroDecimal.Parse("1" + "." + new string('0', 50)).ToDecimal().ShouldBe(1m);
        Should.Throw<OverflowException>(() => AvroDecimal.Parse("79228162514264337593543950336").ToDecimal());
    }

    private static string Kept(string type, object value) =>
        Convert.ToString(GeneratedTypes.ValueOf(With(Of(type), value), "V"), CultureInfo.InvariantCulture)!;

    private static AvroRecordType Of(string type) =>
        GeneratedTypes.Of($$"""{"type":"record","name":"L","namespace":"T.Logical","fields":[{"name":"v","type":{{type}}}]}""")["T.Logical.L"];

    private static IAvroRecord With(AvroRecordType type, object value)
    {
        var made = (IAvroRecord)Activator.CreateInstance(type.Type)!;
        type.Type.GetProperty("V")!.SetValue(made, value);
        return made;
    }

    private static void Refused(IAvroRecord value, string says)
    {
        AvroEncodeException refused = Should.Throw<AvroEncodeException>(() => Encode(value));
        refused.Field.ShouldBe("L.v");
        refused.Message.ShouldContain(says);
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
