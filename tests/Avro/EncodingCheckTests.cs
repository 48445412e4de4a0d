using System.Buffers;
using System.Collections;
using KafkaEventSourcing.Avro.Tests.Evolution;

namespace KafkaEventSourcing.Avro.Tests;

/// <summary>
/// What is written can be read: a value that its schema does not have is an error that names its record and field, when it is written.
/// </summary>
public sealed class EncodingCheckTests
{
    private static readonly Everything Sound = new()
    {
        Flag = true, Number = 1, Big = 2, Single = 3, Double = 4, Text = "t", Raw = [1], Colour = Colour.Blue,
        Day = new DateOnly(2026, 1, 1), Time = DateTimeOffset.UnixEpoch,
        Texts = ["x"], Counts = new Dictionary<string, long> { ["k"] = 1 }, Inner = new Inner { Value = 1 },
    };

    // Such a symbol, as of flags that were combined, was written as an index that the schema does not have: nobody could ever read the
    // event.
    [Theory]
    [InlineData((int)(Colour.Green | Colour.Blue))]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void Symbol_that_the_enum_does_not_have_is_refused(int symbol) =>
        Refused(Sound with { Colour = (Colour)symbol }, "Everything.Colour", $"no symbol of the number {symbol}");

    [Fact]
    public void Null_is_refused_where_the_schema_has_none()
    {
        Refused(Sound with { Text = null! }, "Everything.Text", "is null");
        Refused(Sound with { Raw = null! }, "Everything.Raw", "is null");
        Refused(Sound with { Texts = null! }, "Everything.Texts", "is null");
        Refused(Sound with { Texts = ["a", null!] }, "Everything.Texts", "is null");
        Refused(Sound with { Counts = null! }, "Everything.Counts", "is null");
        Refused(Sound with { Inner = null! }, "Everything.Inner", "is null");
    }

    [Fact]
    public void Text_with_half_a_character_is_refused()
    {
        foreach (string text in (ReadOnlySpan<string>)["\ud800", "a\udc00b", "𝄞\ud834"])
        {
            Refused(Sound with { Text = text }, "Everything.Text", "lone surrogate");
            Refused(Sound with { MaybeText = text }, "Everything.MaybeText", "lone surrogate");
            Refused(Sound with { Texts = [text] }, "Everything.Texts", "lone surrogate");
            Refused(Sound with { Counts = new Dictionary<string, long> { [text] = 1 } }, "Everything.Counts", "lone surrogate");
        }
    }

    [Fact]
    public void Record_that_is_nested_too_deep_is_refused_and_the_deepest_that_is_not_is_read()
    {
        static Inner Chain(int length) => Enumerable.Range(0, length).Aggregate((Inner?)null,
            (next, i) => new Inner { Value = i, Next = next })!;
        Everything deepest = Sound with { Inner = Chain(AvroLimits.MaxDepth - 1) };
        AvroRecordType.Of<Everything>().Read(Encode(deepest)).ShouldBe(deepest);
        Refused(Sound with { Inner = Chain(AvroLimits.MaxDepth) }, "Inner", "nested deeper than 64");
        Refused(Sound with { Inner = Chain(200_000) }, "Inner", "nested deeper than 64");
    }

    [Fact]
    public void Collection_that_miscounts_itself_is_refused() =>
        Refused(Sound with { Counts = new Miscounted() }, "Everything.Counts", "another number of items");

    // They take no byte, so that a message could say that it has any number.
    [Fact]
    public void Items_that_take_no_byte_are_read_back_up_to_a_limit()
    {
        const string Schema = """
            {"type":"record","name":"L","namespace":"T.Empty","fields":[{"name":"all","type":{"type":"array","items":{"type":"array","items":{"type":"record","name":"N","fields":[]}}}}]}
            """;
        GeneratedTypes types = GeneratedTypes.Of(Schema);
        AvroRecordType type = types["T.Empty.L"];
        IAvroRecord read = type.Read([2, 200, 1, 0, 0]); // one array of 100
        ((IEnumerable)((IEnumerable)GeneratedTypes.ValueOf(read, "All")!).Cast<object>().ShouldHaveSingleItem()).Cast<object>().Count()
            .ShouldBe(100);
        Encode(read).ShouldBe([2, 200, 1, 0, 0]);
        byte[] most = [2, 0x80, 0x80, 8, 0, 0]; // 65,536
        Encode(type.Read(most)).ShouldBe(most);
        Should.Throw<AvroDecodeException>(() => type.Read([4, 0x80, 0x80, 8, 0, 2, 0, 0])).Message.ShouldContain("at most 65536");
        Should.Throw<AvroDecodeException>(() => type.Read([2, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0])).Message.ShouldContain("at most 65536");
    }

    // The state had the time of the event as it was decided, and another one when it was folded from the log again.
    [Fact]
    public void Time_has_the_precision_and_the_zone_of_its_schema_from_the_start()
    {
        var time = new DateTimeOffset(1969, 12, 31, 23, 59, 59, TimeSpan.FromHours(2));
        Everything value = Sound with { Time = time.AddTicks(123) };
        value.Time.ShouldBe(time.AddTicks(120));
        value.Time.Offset.ShouldBe(TimeSpan.Zero);
        AvroRecordType.Of<Everything>().Read(Encode(value)).ShouldBe(value);
    }

    private static void Refused(Everything value, string field, string says)
    {
        AvroEncodeException refused = Should.Throw<AvroEncodeException>(() => Encode(value));
        refused.Field.ShouldBe(field);
        refused.Message.ShouldStartWith($"{field}: ");
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

    private sealed class Miscounted : IReadOnlyDictionary<string, long>
    {
        public int Count => 2;

        public IEnumerable<string> Keys => ["k"];

        public IEnumerable<long> Values => [1];

        public long this[string key] => 1;

        public bool ContainsKey(string key) => key == "k";

        public bool TryGetValue(string key, out long value)
        {
            value = 1;
            return key == "k";
        }

        public IEnumerator<KeyValuePair<string, long>> GetEnumerator() => Keys.Select(k => KeyValuePair.Create(k, 1L)).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
