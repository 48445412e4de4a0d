using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Archive.Tests;

/// <summary>
/// The archiver on a topic: each range once whatever ends it in the middle and whoever is at it too, and no reader that takes a damaged
/// archive for a whole one.
/// </summary>
public sealed class RangeArchiverTests(ServersFixture fixture) : IClassFixture<ServersFixture>, IAsyncLifetime
{
    private static readonly ArchiveOptions FourEvents = new() { RangeEvents = 4 };

    private readonly MemoryArchiveStore _store = new();
    private BankLog _log = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _log = await BankLog.CreateAsync(fixture.Servers, Cancellation);

    public ValueTask DisposeAsync() => _log.DisposeAsync();

    [Fact]
    public async Task Full_ranges_are_archived_one_after_the_other_and_read_back_as_they_were()
    {
        _log.Append(transactions: 5);
        using RangeArchiver archiver = Archiver(FourEvents);
        ArchivedRange?[] ranges = await ArchiveAll(archiver);
        ranges.Select(r => (r!.Start, r.End, r.Records)).ShouldBe([(0, 5, 4), (5, 11, 4)]); // a marker behind each two
        ranges[1]!.Previous.ShouldBe(ArchiveJson.HashOf(_store.Files[$"{Folder}/manifest/partition=0/{0:D20}.json"]));
        Reader().ExtentOf(_log.Partition, Cancellation).ShouldBe(new PartitionExtent(0, 11));
        AllOf(Reader(), 0).ShouldBe(_log.Read(Cancellation).Take(8).Select(TextOf));
        AllOf(Reader(), 4).ShouldBe(_log.Read(Cancellation).Where(r => r.Offset.Value is >= 4 and < 11).Select(TextOf));
        Reader().ReadKey(_log.Partition, "acc-1"u8.ToArray(), 0, Cancellation).Select(TextOf)
            .ShouldBe(_log.Read(Cancellation).Take(8).Where(r => r.Message.Key.AsSpan().SequenceEqual("acc-1"u8)).Select(TextOf));
    }

    [Fact]
    public async Task Tables_of_event_types_are_in_folders_by_type_and_date_and_named_in_the_manifest_with_their_schemas()
    {
        _log.Append(transactions: 10);
        using RangeArchiver archiver = Archiver(new ArchiveOptions { RangeEvents = 20 });
        ArchivedRange range = (await ArchiveAll(archiver)).ShouldHaveSingleItem()!;
        range.Untyped.ShouldBe(0);
        range.Tables.Select(t => (t.Type, t.Date, t.File.Rows)).ShouldBe(
        [
            ("Banking.Domain.AccountFrozen", new DateOnly(2026, 3, 31), 8L), ("Banking.Domain.AccountFrozen", new DateOnly(2026, 4, 1), 9L),
            ("Banking.Domain.AccountOpened", new DateOnly(2026, 3, 31), 3L),
        ]);
        range.Tables[0].File.Name.ShouldBe(
            $"{Folder}/types/event_type=Banking.Domain.AccountFrozen/date=2026-03-31/p0-{0:D20}-{range.End:D20}-s{range.Tables[0].Schema}"
                + ".parquet");
        range.Schemas.Count.ShouldBe(2);
        range.Schemas.ShouldAllBe(s => s.Text!.Contains("\"Banking.Domain\""));
        string[] named = [range.Events.Name, .. range.Tables.Select(t => t.File.Name)];
        _store.Files.Keys.Where(f => f.EndsWith(".parquet", StringComparison.Ordinal)).ShouldBe(named, ignoreOrder: true);
        foreach (ArchivedFile file in (ArchivedFile[])[range.Events, .. range.Tables.Select(t => t.File)])
            (file.Bytes, file.Sha256).ShouldBe((_store.Files[file.Name].Length, ArchiveJson.HashOf(_store.Files[file.Name])));
    }

    [Fact]
    public async Task Few_events_are_archived_when_the_oldest_is_old_enough_and_not_before()
    {
        _log.Append(transactions: 1); // at 13 and 14 o'clock
        var options = new ArchiveOptions { RangeAge = TimeSpan.FromHours(2) };
        using (RangeArchiver young = Archiver(options, BankLog.Noon.AddHours(2.9)))
            (await ArchiveAll(young)).ShouldBeEmpty();
        _store.Files.ShouldBeEmpty();
        using (RangeArchiver old = Archiver(options, BankLog.Noon.AddHours(3.1)))
            (await ArchiveAll(old)).ShouldHaveSingleItem()!.Records.ShouldBe(2);
        using RangeArchiver asked = Archiver(options, BankLog.Noon);
        _log.Append(transactions: 1);
        (await asked.ArchiveNextAsync(0, _log.Id, all: true, Cancellation))!.Records.ShouldBe(2);
    }

    [Fact]
    public async Task Records_that_are_no_events_or_whose_values_cannot_be_read_are_archived_as_they_are()
    {
        _log.Append(new Message<byte[], byte[]> { Key = null!, Value = null!, Timestamp = new Timestamp(BankLog.Noon) });
        _log.Append(new Message<byte[], byte[]>
        {
            Key = "acc-0"u8.ToArray(),
            Value = [0, 0x7f, 0x7f, 0x7f, 0x7f, 1], // of a schema that no registry has
            Timestamp = new Timestamp(BankLog.Noon),
            Headers = new Headers { { "a", null }, { "a", [] }, { "b", [1, 0, 255] } },
        });
        using RangeArchiver archiver = Archiver(FourEvents);
        ArchivedRange range = (await archiver.ArchiveNextAsync(0, _log.Id, all: true, Cancellation))!;
        (range.Records, range.Untyped, range.Tables.Count).ShouldBe((2, 2, 0));
        range.Schemas.ShouldBe([new ArchivedSchema("2139062143", null)]);
        AllOf(Reader(), 0).ShouldBe(_log.Read(Cancellation).Select(TextOf));
    }

    // Whatever call of the archive is the last one of a process, also one whose answer is lost: the next process makes the same files.
    [Fact]
    public async Task Archiving_that_ends_at_any_call_is_gone_on_with_and_nothing_is_missing_or_there_twice()
    {
        _log.Append(transactions: 5);
        using (RangeArchiver undisturbed = Archiver(FourEvents))
            await ArchiveAll(undisturbed);
        Dictionary<string, byte[]> expected = new(_store.Files);
        foreach (bool isDone in (bool[])[false, true])
        {
            _store.Files.Clear();
            int ends = 0;
            for (int allowed = 0; ; allowed++)
            {
                int calls = 0;
                Action<string, string> end = (_, _) =>
                {
                    if (calls++ == allowed)
                        throw new IOException("The process ends here.");
                };
                if (isDone)
                    _store.After = end;
                else
                    _store.Before = end;
                using RangeArchiver archiver = Archiver(FourEvents);
                try
                {
                    await ArchiveAll(archiver);
                    break;
                }
                catch (IOException)
                {
                    ends++;
                }

                (_store.Before, _store.After) = (static (_, _) => { }, static (_, _) => { });
                ShouldBeWhole();
            }

            ends.ShouldBeGreaterThan(3);
            (_store.Before, _store.After) = (static (_, _) => { }, static (_, _) => { });
            _store.Files.Keys.Order(StringComparer.Ordinal).ShouldBe(expected.Keys.Order(StringComparer.Ordinal));
            foreach ((string name, byte[] content) in expected)
                _store.Files[name].ShouldBe(content, name);
        }
    }

    [Fact]
    public async Task Several_that_archive_one_partition_at_the_same_time_make_each_range_once()
    {
        _log.Append(transactions: 12);
        RangeArchiver[] archivers = [.. Enumerable.Range(0, 3).Select(_ => Archiver(FourEvents))];
        await Task.WhenAll(archivers.Select(a => Task.Run(() => ArchiveAll(a), Cancellation)));
        foreach (RangeArchiver archiver in archivers)
            archiver.Dispose();
        ShouldBeWhole();
        AllOf(Reader(), 0).Count.ShouldBe(24);
    }

    [Fact]
    public async Task File_that_is_damaged_or_missing_is_named_and_nothing_behind_it_is_read()
    {
        await Archive(transactions: 6);
        string second = $"{Folder}/events/partition=0/{5:D20}-{11:D20}.parquet";
        byte[] whole = _store.Files[second];
        for (int at = 0; at < whole.Length; at += 97)
        {
            byte[] damaged = [.. whole];
            damaged[at] ^= 0x10;
            _store.Files[second] = damaged;
            ShouldStopAt(second, "SHA-256", read: 4);
        }

        _store.Files[second] = whole[..^1];
        ShouldStopAt(second, "ends at", read: 4);
        _store.Files[second] = [.. whole, 0];
        ShouldStopAt(second, "has more than", read: 4);
        _store.Files.Remove(second, out _);
        ShouldStopAt(second, "cannot be read", read: 4);
        _store.Files[second] = whole;
        AllOf(Reader(), 0).Count.ShouldBe(12);
    }

    // The library that reads the files reports a failure of the store as a file that it cannot read.
    [Fact]
    public async Task Archive_that_is_away_for_a_moment_is_not_taken_for_damaged()
    {
        await Archive(transactions: 6);
        for (int allowed = 0; allowed < 20; allowed++)
        {
            int calls = 0;
            _store.Before = (_, _) =>
            {
                if (calls++ == allowed)
                    throw new IOException("The disk is away.");
            };
            ArchiveReader reader = Reader();
            try
            {
                reader.ReadKey(_log.Partition, "acc-1"u8.ToArray(), 0, Cancellation).Count().ShouldBe(4);
            }
            catch (IOException away)
            {
                away.Message.ShouldContain("The disk is away.");
            }
        }
    }

    [Fact]
    public async Task Entry_that_is_missing_doubled_damaged_or_of_another_topic_is_named()
    {
        await Archive(transactions: 6);
        string[] entries = [.. _store.Files.Keys.Where(f => f.StartsWith($"{Folder}/manifest/", StringComparison.Ordinal)).Order(
            StringComparer.Ordinal)];
        entries.Length.ShouldBe(3);
        Dictionary<string, byte[]> whole = new(_store.Files);
        Damaged(entries[0], null, "begins with the entry");
        Damaged(entries[1], null, "lacks the offsets from 5 to 11");
        Damaged(entries[1], "{}"u8.ToArray(), "is not what it should be");
        Damaged(entries[1], whole[entries[0]], "which is of");
        Damaged(entries[1], Changed(entries[1], e => e with { Records = 3 }), "the one before it is not the one that it was made after");
        Damaged(entries[2], Changed(entries[2], e => e with { TopicId = "AAAAAAAAAAAAAAAAAAAAAQ" }), "of the topic with the id");
        Damaged(entries[2], Changed(entries[2], e => e with { Format = 99 }), "of the format 99");
        Damaged($"{Folder}/manifest/partition=0/{3:D20}.json", whole[entries[1]], "has offsets twice");
        Damaged($"{Folder}/manifest/partition=0/other.json", [], "is not an entry of it");
        AllOf(Reader(), 0).Count.ShouldBe(12);

        byte[] Changed(string entry, Func<ArchivedRange, ArchivedRange> change) =>
            ArchiveJson.ToUtf8(change(ArchiveJson.Read<ArchivedRange>(entry, "", whole[entry])));

        void Damaged(string entry, byte[]? content, string what)
        {
            if (content is null)
                _store.Files.Remove(entry, out _);
            else
                _store.Files[entry] = content;
            string message = Should.Throw<ArchiveDamagedException>(() => Reader().ExtentOf(_log.Partition, Cancellation)).Message;
            message.ShouldContain(what);
            _store.Files.Clear();
            foreach ((string name, byte[] bytes) in whole)
                _store.Files[name] = bytes;
        }
    }

    [Fact]
    public async Task Archive_of_a_topic_that_was_made_again_or_has_lost_events_is_not_gone_on_with()
    {
        await Archive(transactions: 2);
        using RangeArchiver archiver = Archiver(FourEvents);
        var other = TopicId.From(1, 2);
        (await Should.ThrowAsync<ArchiveDamagedException>(archiver.ArchiveNextAsync(0, other, all: true, Cancellation))).Message
            .ShouldContain("was deleted and made again");
        Should.Throw<ArchiveDamagedException>(() => Reader(other).ExtentOf(_log.Partition, Cancellation)).Message
            .ShouldContain("was deleted and made again");
        _log.Append(transactions: 3);
        await _log.DeleteBefore(9);
        (await Should.ThrowAsync<ArchiveDamagedException>(archiver.ArchiveNextAsync(0, _log.Id, all: true, Cancellation))).Message
            .ShouldContain("begins at offset 9 in partition 0, and its archive in memory ends at 5");
    }

    [Fact]
    public async Task Archive_begins_where_the_topic_does_when_it_is_turned_on_late()
    {
        _log.Append(transactions: 4);
        await _log.DeleteBefore(4);
        using RangeArchiver archiver = Archiver(FourEvents);
        (await ArchiveAll(archiver)).ShouldHaveSingleItem()!.Start.ShouldBe(4);
        Reader().ExtentOf(_log.Partition, Cancellation)!.Value.Start.ShouldBe(4);
    }

    [Fact]
    public async Task Offset_at_a_time_is_that_of_the_first_record_that_is_not_older()
    {
        await Archive(transactions: 4);
        ConsumeResult<byte[], byte[]>[] records = [.. _log.Read(Cancellation)];
        foreach (ConsumeResult<byte[], byte[]> record in records)
            Reader().OffsetAt(_log.Partition, record.Message.Timestamp.UtcDateTime.AddMinutes(-1), Cancellation)
                .ShouldBe(record.Offset.Value);
        Reader().OffsetAt(_log.Partition, records[^1].Message.Timestamp.UtcDateTime.AddMinutes(1), Cancellation).ShouldBeNull();
    }

    private string Folder => $"{_log.Topics.Application}.account";

    private static string TextOf(ConsumeResult<byte[], byte[]> record) =>
        $"{record.Offset} {record.Message.Timestamp.Type} {record.Message.Timestamp.UnixTimestampMs} {Hex(record.Message.Key)} "
            + string.Join(",", record.Message.Headers.Select(h => $"{h.Key}={Hex(h.GetValueBytes())}")) + $" {Hex(record.Message.Value)}";

    private static string Hex(byte[]? bytes) => bytes is null ? "null" : Convert.ToHexString(bytes);

    private RangeArchiver Archiver(ArchiveOptions options, DateTimeOffset? now = null) => new(_store, _log.Kafka, _log.Topics,
        new WriterSchemas(_log.Registry), options, new FixedTime(now ?? BankLog.Noon), NullLogger.Instance);

    private ArchiveReader Reader(TopicId? id = null) => new(_store, [_log.Topics], (_, _) => id ?? _log.Id);

    private List<string> AllOf(ArchiveReader reader, long from) => [.. reader.Read(_log.Partition, from, Cancellation).Select(TextOf)];

    private async Task<ArchivedRange?[]> ArchiveAll(RangeArchiver archiver)
    {
        var ranges = new List<ArchivedRange?>();
        while (await archiver.ArchiveNextAsync(0, _log.Id, all: false, Cancellation) is { } range)
            ranges.Add(range);
        return [.. ranges];
    }

    private async Task Archive(int transactions)
    {
        _log.Append(transactions);
        using RangeArchiver archiver = Archiver(FourEvents);
        await ArchiveAll(archiver);
    }

    // Every event of what is archived once, and no file by which a reader of all files would see another.
    private void ShouldBeWhole()
    {
        long end = Reader().ExtentOf(_log.Partition, Cancellation)?.End ?? 0;
        AllOf(Reader(), 0).ShouldBe(_log.Read(Cancellation).Where(r => r.Offset.Value < end).Select(TextOf));
        string[] rows = [.. _store.Files.Where(f => f.Key.Contains("/events/", StringComparison.Ordinal)).OrderBy(f => f.Key,
            StringComparer.Ordinal).SelectMany(f =>
        {
            using var file = new MemoryStream(f.Value);
            return EventFile.Read(file, _log.Partition, 0, Cancellation).Select(TextOf).ToArray();
        })];
        rows.ShouldBe(_log.Read(Cancellation).Take(rows.Length).Select(TextOf));
    }

    private void ShouldStopAt(string file, string why, int read)
    {
        var got = new List<string>();
        string message = Should.Throw<ArchiveDamagedException>(() =>
        {
            foreach (ConsumeResult<byte[], byte[]> record in Reader().Read(_log.Partition, 0, Cancellation))
                got.Add(TextOf(record));
        }).Message;
        message.ShouldContain(file);
        message.ShouldContain(why);
        got.Count.ShouldBe(read);
    }

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
