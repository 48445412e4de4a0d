namespace KafkaEventSourcing.Projections.Tests;

public sealed class DocumentCacheTests
{
    private sealed record Text(string Id, string Words);

    private sealed record Page(string Id, List<Text> Lines, Dictionary<string, byte[]> Pictures);

    // The cache was bounded by its number of documents, 100,000: a few hundred of a megabyte each took all memory.
    [Theory]
    [InlineData(10)]
    [InlineData(500_000)]
    public void Memory_is_bounded_by_bytes_whatever_the_size_of_a_document(int characters)
    {
        const long limit = 4_000_000;
        var cache = new DocumentCache<Text>(limit);
        var words = new string('x', characters);
        long each = ObjectSize.Of(new Text("d00000", words)) + ObjectSize.Of("d00000");
        for (int i = 0; i < 40_000; i++)
        {
            cache.Set($"d{i:00000}", new(new Text($"d{i:00000}", words), 1), changes: 1);
            cache.Trim();
            (cache.Count * each).ShouldBeLessThanOrEqualTo(limit + (2 * each));
        }

        cache.Count.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void What_is_asked_for_again_outlives_what_is_not()
    {
        var cache = new DocumentCache<Text>(10_000);
        var hot = new Text("hot", "kept");
        cache.Set("hot", new(hot, 1), changes: 1);
        for (int i = 0; i < 1_000; i++)
        {
            cache.Set($"d{i}", new(new Text($"d{i}", "gone"), 1), changes: 1);
            cache.TryGet("hot", out StoredDocument<Text> found).ShouldBeTrue();
            found.Document.ShouldBeSameAs(hot);
            cache.Trim();
        }

        cache.TryGet("d0", out _).ShouldBeFalse();
    }

    [Fact]
    public void Key_without_document_is_known_to_have_none_until_it_is_set()
    {
        var cache = new DocumentCache<Text>(10_000);
        cache.TryGet("a", out _).ShouldBeFalse();
        cache.Set("a", default, changes: 1);
        cache.TryGet("a", out StoredDocument<Text> none).ShouldBeTrue();
        none.Document.ShouldBeNull();
        cache.Set("a", new(new Text("a", "here"), 7), changes: 1);
        cache.TryGet("a", out StoredDocument<Text> here).ShouldBeTrue();
        here.Document!.Words.ShouldBe("here");
        here.Version.ShouldBe(7);
        cache.Clear();
        cache.TryGet("a", out _).ShouldBeFalse();
    }

    [Fact]
    public void Size_is_about_that_of_the_texts_bytes_and_items_within()
    {
        ObjectSize.Of(null).ShouldBe(0);
        ObjectSize.Of(new Text("a", new string('x', 1_000_000))).ShouldBeInRange(2_000_000, 2_001_000);
        var page = new Page("p", [.. Enumerable.Range(0, 10_000).Select(i => new Text($"{i:0000}", new string('x', 100)))],
            new Dictionary<string, byte[]> { ["one"] = new byte[500_000] });
        ObjectSize.Of(page).ShouldBeInRange(10_000 * 250 + 500_000, 10_000 * 500 + 501_000);
    }
}
