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

    private static readonly AvroRecordType Logical = AvroRecordType.Of<EveryLogical>();

    private static readonly Gen<EveryLogical> LogicalValues = Gen.Select(
        Gen.Select(Gen.Guid, Gen.Guid, Gen.Long[-999_999_999_999, 999_999_999_999],
            Gen.Long[-999_999_999_999_999_999, 999_999_999_999_999_999], Gen.Byte.Array[1, 24]),
        Gen.Select(Gen.Int[0, 86_399_999], Gen.Long[0, 86_399_999_999], Gen.Long[-90_000_000_000_000_000, 90_000_000_000_000_000]),
        Gen.Select(Gen.UInt, Gen.UInt, Gen.UInt), Gen.Byte.Array[4],
        Gen.Select(Gen.Long[-50_000_000_000_000, 50_000_000_000_000].List[0, 3],
            Gen.Dictionary(Gen.Int.Select(i => $"{i}"), Gen.Int[-9_999, 9_999].Nullable())[0, 3],
            Gen.Int[0, 8]),
        (numbers, times, parts, hash, more) => new EveryLogical
        {
            Id = numbers.Item1, RawId = numbers.Item2, Price = numbers.Item3 / 1000m, Weight = numbers.Item4 / 1_000_000_000m,
            Huge = new AvroDecimal(new System.Numerics.BigInteger(numbers.Item5), 20),
            Millis = new TimeOnly(times.Item1 * TimeSpan.TicksPerMillisecond),
            Micros = new TimeOnly(times.Item2 * TimeSpan.TicksPerMicrosecond),
            Nanos = DateTimeOffset.UnixEpoch.AddTicks(times.Item3), Local = DateTime.UnixEpoch.AddTicks(times.Item3),
            LocalMicros = DateTime.UnixEpoch.AddTicks(times.Item3), LocalNanos = DateTime.UnixEpoch.AddTicks(times.Item3),
            Length = new AvroDuration(parts.Item1, parts.Item2, parts.Item3), Hash = hash,
            Times = [.. more.Item1.Select(t => DateTimeOffset.UnixEpoch.AddMilliseconds(t))],
            Prices = more.Item2.ToDictionary(p => p.Key, p => p.Value / 10m),
            Any = more.Item3 switch
            {
                0 => null,
                1 => hash,
                2 => numbers.Item1,
                3 => DateTimeOffset.UnixEpoch.AddTicks(times.Item3),
                4 => DateOnly.FromDayNumber(times.Item1 % 3_000_000),
                5 => -0.5m,
                6 => new AvroDuration(parts.Item3, 0, 1),
                7 => 0.25,
                _ => new EveryLogical.AnyUnion.Map(new Dictionary<string, EveryLogical.AnyMapUnion> { ["a"] = "x", ["b"] = times.Item1 }),
            },
        });

    [Fact]
    public void Logical_types_have_the_bytes_of_the_specific_writer_and_are_read_back() => LogicalValues.Sample(value =>
    {
        byte[] bytes = Encode(value);
        using var output = new MemoryStream();
        new SpecificDefaultWriter(Logical.Schema).Write(value, new BinaryEncoder(output));
        return bytes.AsSpan().SequenceEqual(output.ToArray()) && Logical.Read(bytes).Equals(value);
    }, iter: 2_000);

    // As the reader of specific records does, which sets the fields one by one.
    [Fact]
    public void Fields_take_back_what_they_give_to_others() => LogicalValues.Sample(value =>
    {
        var copy = (ISpecificRecord)Activator.CreateInstance(Logical.Type)!;
        for (int i = 0; i < Logical.Parsed.Fields.Count; i++)
            copy.Put(i, ((ISpecificRecord)value).Get(i));
        return copy.Equals(value);
    }, iter: 500);

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

    private static byte[] Encode(IAvroRecord value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Write(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(IAvroRecord value, ArrayBufferWriter<byte> buffer)
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

