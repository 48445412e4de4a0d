using System.Buffers;
using System.Text;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro.Tests;

/// <summary>Fields that are tagged as personal, with a protection that turns bytes around and knows who was erased.</summary>
public sealed class PersonalFieldTests
{
    private readonly Turning _protection = new();

    private static Letter Whole => new() { To = "dr", Text = "Zdenka", Seal = [1, 2, 3], Reply = "Yes" };

    [Fact]
    public void Tagged_field_is_sealed_for_its_subject_and_is_valid_avro_that_reads_back()
    {
        byte[] bytes = Encode(Whole, "p1");
        var plain = (Letter)AvroRecordType.Of<Letter>().Read(bytes); // as consumers without keys
        plain.Text.ShouldStartWith("kes:sealed:1:");
        plain.Reply!.ShouldStartWith("kes:sealed:1:");
        Encoding.ASCII.GetString(plain.Seal!).ShouldStartWith("kes:sealed:1:");
        plain.To.ShouldBe("dr");
        _protection.Sealed.ShouldBe(["p1 Letter.Text", "p1 Letter.Seal", "dr Letter.Reply"]);
        AvroRecordType.Of<Letter>().Read(bytes, _protection).ShouldBe(Whole);
    }

    [Fact]
    public void Erased_subject_reads_as_the_marker_and_is_refused_or_marked_when_written()
    {
        byte[] bytes = Encode(Whole, "p1");
        _protection.Erased = "p1";
        Letter marked = Whole with { Text = "[erased]", Seal = Encoding.ASCII.GetBytes("[erased]") };
        AvroRecordType.Of<Letter>().Read(bytes, _protection).ShouldBe(marked);
        SubjectErasedException refused = Should.Throw<SubjectErasedException>(() => Encode(Whole, "p1"));
        (refused.Subject, refused.Field).ShouldBe(("p1", "Letter.Text"));
        AvroRecordType.Of<Letter>().Read(Encode(Whole, "p1", marksErased: true), _protection).ShouldBe(marked);
        AvroRecordType.Of<Letter>().Read(Encode(marked, "p1"), _protection).ShouldBe(marked); // the marker itself is nothing personal
    }

    [Fact]
    public void Value_that_an_older_schema_wrote_is_opened_and_what_was_written_before_the_tag_is_read_as_it_is()
    {
        AvroRead older = AvroRecordType.Of<Letter>().ReaderOf(SchemaParser.Parse("""
            {"type":"record","name":"Letter","namespace":"KafkaEventSourcing.Avro.Tests","fields":[
              {"name":"Gone","type":"int"},{"name":"Text","type":"string"},{"name":"To","type":"string"}]}
            """));
        Letter Read(string text)
        {
            var bytes = new ArrayBufferWriter<byte>();
            var writer = new AvroWriter(bytes);
            writer.WriteInt(1);
            writer.WriteString(text);
            writer.WriteString("dr");
            writer.Flush();
            return (Letter)AvroRecordType.Read(bytes.WrittenSpan, older, _protection);
        }

        string sealedText = ((Letter)AvroRecordType.Of<Letter>().Read(Encode(Whole, "p1"))).Text;
        Read(sealedText).Text.ShouldBe("Zdenka");
        Read("Anna").Text.ShouldBe("Anna");
        Should.Throw<AvroDecodeException>(() => Read("kes:sealed:1:!")).Message.ShouldContain("A sealed text cannot be opened");
    }

    [Fact]
    public void Field_without_a_subject_is_an_error_and_the_tag_is_a_part_of_the_fingerprint()
    {
        Should.Throw<AvroEncodeException>(() => Encode(Whole, null)).Message.ShouldBe(
            "Letter.Text: The field is tagged as personal, and it is not said of whom it speaks.");
        AvroRecordType type = AvroRecordType.Of<Letter>();
        type.IsPersonal.ShouldBeTrue();
        SchemaFingerprint.Of(SchemaParser.Parse(type.SchemaJson.Replace("PII", "other", StringComparison.Ordinal)))
            .ShouldNotBe(type.Fingerprint); // a store of plain states is not the one of sealed ones
    }

    private byte[] Encode(Letter letter, string? subject, bool marksErased = false)
    {
        var bytes = new ArrayBufferWriter<byte>();
        var writer = new AvroWriter(bytes, _protection, subject, marksErased);
        letter.WriteTo(ref writer);
        writer.Flush();
        return bytes.WrittenSpan.ToArray();
    }

    private sealed class Turning : IFieldProtection
    {
        public List<string> Sealed { get; } = [];

        public string? Erased { get; set; }

        public long Erasures => Erased is null ? 0 : 1;

        public byte[]? Seal(string subject, string field, ReadOnlySpan<byte> value)
        {
            Sealed.Add($"{subject} {field}");
            return subject == Erased ? null : [.. Encoding.UTF8.GetBytes(subject + "\n"), .. value.ToArray().Reverse()];
        }

        public byte[]? Open(ReadOnlySpan<byte> sealedValue)
        {
            int end = sealedValue.IndexOf((byte)'\n');
            return end < 0 ? throw new InvalidDataException("It has no subject.")
                : Encoding.UTF8.GetString(sealedValue[..end]) == Erased ? null
                : [.. sealedValue[(end + 1)..].ToArray().Reverse()];
        }
    }
}
