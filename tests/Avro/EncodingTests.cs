using System.Buffers;
using Avro.Generic;
using Avro.IO;
using Avro.Specific;
using CsCheck;

namespace KafkaEventSourcing.Avro.Tests;

/// <summary>The generated codec writes and reads the bytes of Apache Avro's own writers, specific and generic.</summary>
public sealed class EncodingTests
{
    private static readonly AvroRecordType Type = AvroRecordType.Of<Everything>();

    private static readonly Gen<Inner> Inners = Gen.Select(Gen.Int, Gen.Int.Nullable(),
        (value, next) => new Inner { Value = value, Next = next is { } n ? new Inner { Value = n } : null });

    private static readonly Gen<Everything> Values =
        Gen.Select(
            Gen.Select(Gen.Bool, Gen.Int, Gen.Long, Gen.Float, Gen.Double),
            Gen.Select(Gen.String, Gen.Byte.Array[0, 300], Gen.String.Null(), Gen.Long.Nullable()),
            Gen.Select(Gen.Enum<Colour>(), Gen.Int[0, 3_000_000], Gen.Long[-50_000_000_000_000_000, 50_000_000_000_000_000]),
            Gen.Select(Gen.String.List[0, 5], Gen.Dictionary(Gen.String, Gen.Long)[0, 4], Inners),
            (a, b, c, d) => new Everything
            {
                Flag = a.Item1, Number = a.Item2, Big = a.Item3, Single = a.Item4, Double = a.Item5,
                Text = Valid(b.Item1), Raw = b.Item2, MaybeText = b.Item3 is { } text ? Valid(text) : null, MaybeNumber = b.Item4,
                Colour = c.Item1, Day = DateOnly.FromDayNumber(c.Item2), Time = DateTimeOffset.UnixEpoch.AddMicroseconds(c.Item3),
                Texts = [.. d.Item1.Select(Valid)],
                Counts = d.Item2.GroupBy(p => Valid(p.Key)).ToDictionary(g => g.Key, g => g.First().Value), Inner = d.Item3,
            });

    [Fact]
    public void Generated_bytes_are_those_of_the_specific_writer() =>
        Values.Sample(value => Encode(value).AsSpan().SequenceEqual(Specific(value)), iter: 2_000);

    [Fact]
    public void Specific_bytes_are_read_back() =>
        Values.Sample(value => Encode((Everything)Type.Read(Specific(value))).AsSpan().SequenceEqual(Encode(value)), iter: 2_000);

    [Fact]
    public void Generic_reader_and_writer_keep_the_bytes() => Values.Sample(value =>
    {
        byte[] bytes = Encode(value);
        var reader = new GenericDatumReader<GenericRecord>(Type.Schema, Type.Schema);
        GenericRecord record = reader.Read(null!, new BinaryDecoder(new MemoryStream(bytes)));
        using var output = new MemoryStream();
        new GenericDatumWriter<GenericRecord>(Type.Schema).Write(record, new BinaryEncoder(output));
        return record["Text"].Equals(value.Text) && bytes.AsSpan().SequenceEqual(output.ToArray());
    }, iter: 1_000);

    [Fact]
    public void Read_truncated_bytes_is_an_error_and_never_a_value() => Values.Sample(value =>
    {
        byte[] bytes = Encode(value);
        for (int length = 0; length < bytes.Length; length++)
            Should.Throw<AvroDecodeException>(() => Type.Read(bytes.AsSpan(0, length)));
    }, iter: 20);

    [Fact]
    public void Read_garbage_is_an_error_or_a_value_but_no_other_exception() => Gen.Byte.Array[0, 200].Sample(garbage =>
    {
        try
        {
            Type.Read(garbage);
        }
        catch (AvroDecodeException)
        {
            // what garbage deserves
        }
    }, iter: 20_000);

    [Fact]
    public void Read_length_beyond_the_data_is_refused_before_memory_is_taken()
    {
        byte[] bytes = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f]; // Text of 2,147,483,647 bytes
        long before = GC.GetAllocatedBytesForCurrentThread();
        Should.Throw<AvroDecodeException>(() => Type.Read(bytes));
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(1_000_000);
    }

    [Fact]
    public void Encode_into_a_reused_buffer_allocates_nothing()
    {
        Everything value = Values.Single();
        var buffer = new ArrayBufferWriter<byte>(1 << 16);
        Write(value, buffer);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
            Write(value, buffer);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Fact]
    public void Values_with_the_same_content_are_equal()
    {
        var one = new Inner { Value = 1, Next = new Inner { Value = 2 } };
        one.ShouldBe(new Inner { Value = 1, Next = new Inner { Value = 2 } });
        one.ShouldNotBe(one with { Value = 3 });
    }

    // A text with a lone surrogate has no UTF-8.
    private static string Valid(string text) => new([.. text.Select(c => char.IsSurrogate(c) ? (char)63 : c)]);

    private static byte[] Encode(Everything value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Write(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(Everything value, ArrayBufferWriter<byte> buffer)
    {
        buffer.ResetWrittenCount();
        var writer = new AvroWriter(buffer);
        value.WriteTo(ref writer);
        writer.Flush();
    }

    private static byte[] Specific(Everything value)
    {
        using var output = new MemoryStream();
        new SpecificDefaultWriter(Type.Schema).Write(value, new BinaryEncoder(output));
        return output.ToArray();
    }
}

