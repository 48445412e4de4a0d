using System.Buffers;
using System.Text;
using Confluent.Kafka;
using Counting;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class CommandDigestTests
{
    private static readonly AvroRecordType Add = AvroRecordType.Of<Add>();
    private static readonly AvroRecordType Label = AvroRecordType.Of<Label>();

    [Fact]
    public void Digest_of_a_value_is_that_of_its_bytes()
    {
        var value = new Add { By = 3 };
        CommandDigest.From(Add, value, ExpectedVersion.New).ShouldBe(CommandDigest.From(Add, Encode(value), ExpectedVersion.New));
    }

    [Fact]
    public void Order_of_the_entries_of_a_map_and_blocks_of_an_array_make_no_difference()
    {
        var one = new Label
        {
            Tags = ["a", "b"],
            Texts = new Dictionary<string, IReadOnlyDictionary<string, long>>
            {
                ["x"] = new Dictionary<string, long> { ["p"] = 1, ["q"] = 2 },
                ["y"] = new Dictionary<string, long>(),
            },
            Note = "n",
        };
        Label other = one with { Texts = new Dictionary<string, IReadOnlyDictionary<string, long>>
        {
            ["y"] = new Dictionary<string, long>(),
            ["x"] = new Dictionary<string, long> { ["q"] = 2, ["p"] = 1 },
        } };
        Encode(one).ShouldNotBe(Encode(other));
        Digest(one).ShouldBe(Digest(other));
        // An array in two blocks, as other encoders write it, is read before.
        Digest((Label)Label.Read([2, 2, (byte)'a', 2, 2, (byte)'b', 0, 0, 0])).ShouldBe(
            Digest(new Label { Tags = ["a", "b"], Texts = new Dictionary<string, IReadOnlyDictionary<string, long>>() }));

        foreach (Label different in (Label[])[one with { Tags = ["b", "a"] }, one with { Note = null },
            one with { Texts = new Dictionary<string, IReadOnlyDictionary<string, long>>
            {
                ["x"] = one.Texts["x"], ["z"] = one.Texts["y"],
            } }])
            Digest(different).ShouldNotBe(Digest(one));
    }

    [Fact]
    public void Difference_names_type_body_and_expected_version()
    {
        CommandDigest first = CommandDigest.From(Add, new Add { By = 1 }, ExpectedVersion.Any);
        CommandDigest.From(Add, new Add { By = 1 }, ExpectedVersion.Any).DifferenceFrom(first).ShouldBeNull();
        CommandDigest.From(Add, new Add { By = 2 }, ExpectedVersion.Any).DifferenceFrom(first).ShouldBe("body");
        CommandDigest.From(AvroRecordType.Of<Fail>(), new Fail(), ExpectedVersion.Any).DifferenceFrom(first).ShouldBe("type");
        CommandDigest.From(Add, new Add { By = 1 }, ExpectedVersion.Exactly(3)).DifferenceFrom(first).ShouldBe("expected version");
        CommandDigest.From(Add, new Add { By = 2 }, ExpectedVersion.Exactly(3)).DifferenceFrom(first).ShouldBe("body, expected version");
        first.DifferenceFrom(default).ShouldBeNull();
        default(CommandDigest).DifferenceFrom(first).ShouldBeNull();
        // the same in another version of the code has other bytes
        (first with { Schema = 1, Body = 2 }).DifferenceFrom(first).ShouldBeNull();
    }

    [Theory]
    [InlineData("any")]
    [InlineData("new")]
    [InlineData("17")]
    public void Digest_travels_in_headers_and_in_outcomes(string expected)
    {
        CommandDigest digest = CommandDigest.From(Add, new Add { By = 1 }, ExpectedVersion.Parse(expected));
        byte[] text = new byte[CommandDigest.MaxTextBytes];
        CommandDigest.Find(new Headers { { CommandDigest.Header, text[..digest.Write(text)] } }).ShouldBe(digest);

        CommandOutcome outcome = CommandOutcome.Rejected(4, "no", "No.", new Dictionary<string, string> { ["by"] = "1" });
        foreach (CommandDigest remembered in (CommandDigest[])[digest, default]) // without one as it was written before
        {
            RememberedOutcome read = OutcomeCodec.Read(Encode(new RememberedOutcome("c", outcome, remembered)));
            (read.CommandId, read.Digest, read.Outcome with { Explanation = null }).ShouldBe(
                ("c", remembered, outcome with { Explanation = null }));
            (read.Outcome.Explanation!.Code, read.Outcome.Explanation.Message).ShouldBe(("no", "No."));
            read.Outcome.Explanation.Details.ShouldBe(outcome.Explanation!.Details);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("0123")]
    [InlineData("zz23456789abcdef0123456789abcdef/any")]
    [InlineData("0123456789abcdef0123456789abcdef/soon")]
    public void Header_of_somebody_else_is_no_digest(string text) =>
        CommandDigest.Find(new Headers { { CommandDigest.Header, Encoding.UTF8.GetBytes(text) } }).IsKnown.ShouldBeFalse();

    private static CommandDigest Digest(Label label) => CommandDigest.From(Label, label, ExpectedVersion.Any);

    private static byte[] Encode(IAvroRecord value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new AvroWriter(buffer);
        value.WriteTo(ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static byte[] Encode(RememberedOutcome outcome)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new AvroWriter(buffer);
        OutcomeCodec.Write(ref writer, outcome);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
