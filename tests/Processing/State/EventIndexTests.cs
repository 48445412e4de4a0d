using System.Text;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class EventIndexTests : IDisposable
{
    private static readonly DateTimeOffset Time = new(2026, 3, 1, 12, 0, 0, 123, 456, TimeSpan.Zero);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("0001-01-01T00:00:00.0000000Z", null)]
    [InlineData("1969-12-31T23:59:59.9999999Z", "c-1")]
    [InlineData("9999-12-31T23:59:58.9999999Z", "örder")]
    public void Event_is_read_as_headers_would_say_it(string text, string? correlation)
    {
        var time = DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
        using StateStore store = Counter.Open(_folder.Child("store"));
        Put(store, "a", 1, 7, [1, 2, 3], time, correlation);
        IndexedEvent indexed = Page(store, "a", new HistoryQuery(), 1).Events.Single();
        indexed.Offset.ShouldBe(7);
        (EventHead head, byte[] value) = indexed.Unpack(AggregateId.Parse("a"));
        CloudEventHeaders.TryDecodeTime(CloudEventHeaders.Encode(time), out DateTimeOffset ofHeader).ShouldBeTrue();
        head.ShouldBe(new EventHead(AggregateId.Parse("a"), 1, ofHeader, CommandId.Parse("c-1"), correlation));
        value.ShouldBe([1, 2, 3]);
    }

    [Theory]
    [InlineData(null, 3, false, new long[] { 1, 2, 3 }, 4L)]
    [InlineData(4L, 3, false, new long[] { 4, 5, 6 }, 7L)]
    [InlineData(5L, 3, false, new long[] { 5, 6, 7 }, null)]
    [InlineData(7L, 1_000, false, new long[] { 7 }, null)]
    [InlineData(8L, 3, false, new long[0], null)]
    [InlineData(long.MaxValue, 1_000, false, new long[0], null)]
    [InlineData(null, 3, true, new long[] { 5, 6, 7 }, 4L)]
    [InlineData(4L, 3, true, new long[] { 2, 3, 4 }, 1L)]
    [InlineData(1L, 3, true, new long[] { 1 }, null)]
    [InlineData(99L, 2, true, new long[] { 6, 7 }, 5L)]
    public void Page_has_what_was_asked_for_and_says_where_the_next_begins(long? from, int limit, bool isDescending, long[] versions,
        long? next)
    {
        using StateStore store = Counter.Open(_folder.Child("store"));
        // ids that begin as another one does, and one that is behind
        foreach (string id in (string[])["a", "a!", "ab", "b"])
        {
            for (long version = 1; version <= 7; version++)
                Put(store, id, version, (version * 10) + id.Length, [(byte)version]);
        }

        IndexedHistory page = Page(store, "a", new HistoryQuery { From = from, Limit = limit, IsDescending = isDescending }, 7);
        page.Events.Select(e => e.Version).ShouldBe(versions);
        page.Events.Select(e => e.Offset).ShouldBe(versions.Select(v => (v * 10) + 1));
        (page.Next, page.IsWhole).ShouldBe((next, true));
    }

    [Fact]
    public void Event_that_is_large_or_not_to_be_kept_is_a_place()
    {
        using (StateStore store = Counter.Open(_folder.Child("store")))
        {
            Put(store, "a", 1, 10, new byte[EventIndex.MaxKeptBytes]);
            Put(store, "a", 2, 11, new byte[EventIndex.MaxKeptBytes + 1]);
            IndexedHistory page = Page(store, "a", new HistoryQuery(), 2);
            page.Events.Select(e => (e.Offset, e.Event.IsEmpty)).ShouldBe([(10, false), (11, true)]);
            page.IsWhole.ShouldBeFalse();
        }

        using StateStore places = StateStore.Open(_folder.Child("places"), Counter.Definition, Counter.State, 4,
            options: new StateStoreOptions { KeepEvents = false });
        Put(places, "a", 1, 10, [1]);
        IndexedEvent place = Page(places, "a", new HistoryQuery(), 1).Events.Single();
        (place.Version, place.Offset, place.Event.IsEmpty).ShouldBe((1, 10, true));
    }

    [Fact]
    public void Store_that_says_nothing_of_its_index_lacks_all_and_a_new_one_nothing()
    {
        using (StateStore store = Counter.Open(_folder.Child("store")))
        {
            store.Index.Gap.IsEmpty.ShouldBeTrue();
            store.Write(20);
        }

        using (StateStore again = Counter.Open(_folder.Child("store")))
        {
            again.Index.Gap.IsEmpty.ShouldBeTrue();
            again.PutGapBefore(12);
            again.Write(21);
        }

        using (StateStore filled = Counter.Open(_folder.Child("store")))
            filled.Index.Gap.ShouldBe(new IndexGap(0, 12));
        using (RocksDbSharp.RocksDb raw = StoreMemory.OfProcess.Open(_folder.Child("store"), 256))
            raw.Remove(StoreKeys.Gap); // as a version before has left it
        using StateStore old = Counter.Open(_folder.Child("store"));
        old.Index.Gap.ShouldBe(new IndexGap(0, 21));
    }

    private static IndexedHistory Page(StateStore store, string id, HistoryQuery query, long version)
    {
        store.Write(1_000);
        return store.Index.Read(AggregateId.Parse(id), version, 999, query);
    }

    private static void Put(StateStore store, string id, long version, long offset, byte[] value, DateTimeOffset? time = null,
        string? correlation = null) => store.PutEvent(Encoding.UTF8.GetBytes(id),
        new EventHead(AggregateId.Parse(id), version, time ?? Time, CommandId.Parse("c-1"), correlation), offset, value);
}
