using System.Text;
using Confluent.Kafka;
using static KafkaEventSourcing.Archive.Tests.Files.RawRecords;

namespace KafkaEventSourcing.Archive.Tests.Files;

/// <summary>What is written to a raw file comes back bit by bit, in the order of the offsets.</summary>
public sealed class RawFileTests
{
    private static readonly byte[]?[] Edges =
        [null, [], [0], "a"u8.ToArray(), [0xff, 0xfe, 0x00], [.. Enumerable.Repeat((byte)7, 70_000)], "a-1"u8.ToArray()];

    private static readonly string[] Names = ["", "h", "ü\u0001", "a name that is longer than names are, " + new string('n', 300)];

    private static readonly long[] Timestamps =
        [0, -1, 1, long.MinValue, long.MaxValue, 253402300799999, 253402300800000, -62135596800000, -62135596800001, 1764547200000];

    [Fact]
    public void Record_of_any_bits_comes_back_as_it_was()
    {
        var random = new Random(1);
        var records = new List<ConsumeResult<byte[], byte[]>>();
        long offset = 5;
        for (int i = 0; i < 500; i++, offset += random.Next(1, 4))
            records.Add(Any(offset, random));
        string[] expected = [.. records.Select(Show)];
        using MemoryStream file = Write(records, groupRows: 64);
        Read(file).Select(Show).ShouldBe(expected);
        Read(file, records[217].Offset.Value).Select(Show).ShouldBe(expected.Skip(217));
        Read(file, records[217].Offset.Value - 1).Length.ShouldBeInRange(283, 284);
        Read(file, offset).ShouldBeEmpty();
        using var reader = new RawFileReader(file);
        foreach (byte[] key in Edges.OfType<byte[]>().Append("a0"u8.ToArray()).Append("zz"u8.ToArray()))
        {
            reader.ReadAggregate(Place, key, long.MinValue, TestContext.Current.CancellationToken).Select(Show)
                .ShouldBe(records.Where(r => r.Message.Key is { } its && its.AsSpan().SequenceEqual(key)).Select(Show));
        }
    }

    [Fact]
    public void Aggregate_is_found_in_pages_that_it_shares_with_others_and_in_many_of_its_own()
    {
        var random = new Random(3);
        byte[] large = new byte[9000];
        random.NextBytes(large);
        ConsumeResult<byte[], byte[]>[] records =
        [
            .. Enumerable.Range(0, 4000).Select(i => random.Next(3) == 0
                ? Event(i, "most", i + 1, large[..random.Next(large.Length)])
                : Event(i, $"a{random.Next(1500)}", i + 1)),
        ];
        using MemoryStream file = Write(records, groupRows: 3000);
        using var reader = new RawFileReader(file);
        foreach (string aggregate in records.Select(r => Encoding.UTF8.GetString(r.Message.Key)).Distinct().Take(200).Append("most"))
        {
            byte[] key = Encoding.UTF8.GetBytes(aggregate);
            reader.ReadAggregate(Place, key, 1, TestContext.Current.CancellationToken).Select(Show)
                .ShouldBe(records.Where(r => r.Message.Key.AsSpan().SequenceEqual(key)).Select(Show), aggregate);
        }
    }

    [Fact]
    public void Value_larger_than_a_chunk_of_memory_comes_back_as_it_was()
    {
        byte[] large = new byte[5_000_000];
        new Random(2).NextBytes(large);
        using MemoryStream file = Write([Event(1, "a", 1), Event(2, "b", 1, large), Event(3, "a", 2)]);
        Read(file).Select(Show).ShouldBe([Show(Event(1, "a", 1)), Show(Event(2, "b", 1, large)), Show(Event(3, "a", 2))]);
    }

    [Fact]
    public void Aggregate_is_read_alone_and_from_the_version_that_is_asked_for()
    {
        ConsumeResult<byte[], byte[]>[] records = [.. Enumerable.Range(0, 1000).Select(i => Event(i, $"a{i % 7}", i / 7 + 1))];
        using MemoryStream file = Write(records, groupRows: 100);
        using var reader = new RawFileReader(file);
        foreach (string aggregate in new[] { "a0", "a3", "a6" })
        {
            byte[] key = Encoding.UTF8.GetBytes(aggregate);
            string[] all = [.. records.Where(r => r.Message.Key.AsSpan().SequenceEqual(key)).Select(Show)];
            reader.ReadAggregate(Place, key, 1, TestContext.Current.CancellationToken).Select(Show).ShouldBe(all);
            reader.ReadAggregate(Place, key, 100, TestContext.Current.CancellationToken).Select(Show).ShouldBe(all.Skip(99));
        }

        reader.ReadAggregate(Place, "a"u8.ToArray(), 1, TestContext.Current.CancellationToken).ShouldBeEmpty();
        reader.ReadAggregate(Place, "a7"u8.ToArray(), 1, TestContext.Current.CancellationToken).ShouldBeEmpty();
        reader.ReadAggregate(Place, "a3"u8.ToArray(), 999, TestContext.Current.CancellationToken).ShouldBeEmpty();
    }

    [Fact]
    public void Complete_says_what_the_file_holds()
    {
        using var file = new MemoryStream();
        using var writer = new RawFileWriter(file, "t", 4, groupRows: 2);
        foreach (ConsumeResult<byte[], byte[]> record in new[] { Event(10, "b", 1), Record(12, null, null, default), Event(17, "a", 1) })
            Append(writer, record);
        var begin = new DateTimeOffset(2025, 12, 1, 0, 0, 0, TimeSpan.Zero);
        writer.Complete().ShouldBe(new RawFileSummary(3, 10, 17, begin.AddSeconds(10), begin.AddSeconds(17)));
        using var reader = new RawFileReader(file);
        (reader.Topic, reader.Partition, reader.Rows).ShouldBe(("t", 4, 3));
    }

    [Fact]
    public void Range_without_records_is_a_file_without_rows()
    {
        using MemoryStream file = Write([]);
        Read(file).ShouldBeEmpty();
        using var reader = new RawFileReader(file);
        reader.ReadAggregate(Place, "a"u8.ToArray(), 1, TestContext.Current.CancellationToken).ShouldBeEmpty();
    }

    [Fact]
    public void Append_of_an_offset_that_is_not_behind_the_last_is_refused()
    {
        using var file = new MemoryStream();
        using var writer = new RawFileWriter(file, Place.Topic, 3);
        Append(writer, Event(5, "a", 1));
        Should.Throw<ArgumentException>(() => Append(writer, Event(5, "a", 2))).Message.ShouldContain("bank.account.events 3@5");
    }

    [Fact]
    public void Writing_that_ends_before_it_is_complete_leaves_no_file_that_can_be_read()
    {
        using var file = new MemoryStream();
        using (var writer = new RawFileWriter(file, Place.Topic, 3, groupRows: 2))
        {
            for (int i = 0; i < 5; i++)
                Append(writer, Event(i, "a", i + 1));
        }

        Should.Throw<InvalidDataException>(() => new RawFileReader(file));
    }

    [Fact]
    public void Damage_is_named_and_nothing_else_is_read()
    {
        using MemoryStream file = Write(Enumerable.Range(0, 200).Select(i => Event(i, $"a{i % 7}", i / 7 + 1)));
        byte[] bytes = file.ToArray();
        string[] expected = [.. Read(file).Select(Show)];
        string[] aggregate = [.. expected.Where(r => r.Contains("key '6133'", StringComparison.Ordinal))];
        aggregate.Length.ShouldBe(29);
        int found = 0, foundByPages = 0;
        for (int at = 0; at < bytes.Length; at += 97)
        {
            byte[] damaged = [.. bytes];
            damaged[at] ^= 0x41;
            // What the columns for people have is not read here; the file's hash says that they are damaged.
            found += IsDamaged(() => Read(new MemoryStream(damaged)), expected, $"byte {at} of {bytes.Length}") ? 1 : 0;
            foundByPages += IsDamaged(() =>
            {
                using var reader = new RawFileReader(new MemoryStream(damaged));
                return [.. reader.ReadAggregate(Place, "a3"u8.ToArray(), 1, TestContext.Current.CancellationToken)];
            }, aggregate, $"pages, byte {at} of {bytes.Length}") ? 1 : 0;
        }

        found.ShouldBeGreaterThan(20);
        foundByPages.ShouldBeGreaterThan(20);
        for (int length = 0; length < bytes.Length; length += 211)
            Should.Throw<InvalidDataException>(() => Read(new MemoryStream(bytes[..length])), $"{length} of {bytes.Length} bytes");
    }

    private static bool IsDamaged(Func<ConsumeResult<byte[], byte[]>[]> read, string[] expected, string what)
    {
        try
        {
            read().Select(Show).ShouldBe(expected, what);
            return false;
        }
        catch (InvalidDataException)
        {
            return true;
        }
    }

    private static ConsumeResult<byte[], byte[]> Any(long offset, Random random) => random.Next(3) == 0
        ? Event(offset, $"a{random.Next(5)}", offset)
        : Record(offset, Edge(random), Edge(random),
            new Timestamp(Timestamps[random.Next(Timestamps.Length)], (TimestampType)random.Next(3)),
            [.. Enumerable.Range(0, random.Next(4)).Select(_ => new Header(Names[random.Next(Names.Length)], Edge(random)))]);

    private static byte[]? Edge(Random random) => Edges[random.Next(10) == 0 ? 5 : random.Next(Edges.Length)];
}
