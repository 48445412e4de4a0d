using System.Text;

namespace KafkaEventSourcing.Archive.Tests;

/// <summary>What every place of an archive keeps to.</summary>
public abstract class ArchiveStoreContract : IAsyncLifetime
{
    // A place may be shared by runs: names are of this test alone.
    private readonly string _mine = $"contract-{Guid.CreateVersion7():N}";
    private IArchiveStore? _store;

    private protected IArchiveStore Store => _store!;

    private protected CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public virtual async ValueTask InitializeAsync() => _store = await Open();

    public virtual async ValueTask DisposeAsync()
    {
        if (_store is not null)
            await _store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Opens the place; each time a client of its own.</summary>
    private protected abstract Task<IArchiveStore> Open();

    private protected string Name(string name) => $"{_mine}/{name}";

    [Fact]
    public async Task TryCreate_a_new_name_has_the_content_from_its_position_on_and_leaves_the_stream_open()
    {
        using var content = new MemoryStream("not this, but this"u8.ToArray()) { Position = 10 };
        (await Store.TryCreateAsync(Name("a/b.json"), content, Cancelled)).ShouldBeTrue();
        content.CanRead.ShouldBeTrue();
        (await Text("a/b.json")).ShouldBe("but this");
        (await Store.FindAsync(Name("a/b.json"), Cancelled)).ShouldBe(8);
    }

    [Fact]
    public async Task TryCreate_a_name_that_is_there_leaves_it_as_it_is()
    {
        (await Create("a", "first")).ShouldBeTrue();
        (await Create("a", "other")).ShouldBeFalse();
        (await Create("a", "a longer one")).ShouldBeFalse();
        (await Text("a")).ShouldBe("first");
    }

    [Fact]
    public async Task TryCreate_an_empty_file_is_there()
    {
        (await Create("empty", "")).ShouldBeTrue();
        (await Store.FindAsync(Name("empty"), Cancelled)).ShouldBe(0);
        (await Read("empty", 0, 10)).ShouldBeEmpty();
        (await Create("empty", "more")).ShouldBeFalse();
    }

    [Fact]
    public async Task TryCreate_of_many_at_the_same_time_one_succeeds_and_its_content_is_there()
    {
        const int writers = 8;
        await using IArchiveStore other = await Open();
        for (int round = 0; round < 5; round++)
        {
            string name = $"race/{round}";
            bool[] made = await Task.WhenAll(Enumerable.Range(0, writers).Select(i =>
                Task.Run(() => Create(name, $"content of {i}", i % 2 == 0 ? Store : other), Cancelled)));
            made.Count(m => m).ShouldBe(1);
            (await Text(name)).ShouldBe($"content of {Array.IndexOf(made, true)}");
        }
    }

    [Fact]
    public async Task TryCreate_a_large_file_is_read_back_in_pieces()
    {
        byte[] content = new byte[6 * 1024 * 1024 + 17];
        new Random(7).NextBytes(content);
        using var stream = new MemoryStream(content);
        (await Store.TryCreateAsync(Name("large"), stream, Cancelled)).ShouldBeTrue();
        (await Store.FindAsync(Name("large"), Cancelled)).ShouldBe(content.Length);
        byte[] back = new byte[content.Length + 1];
        (await Store.ReadAsync(Name("large"), 0, back, Cancelled)).ShouldBe(content.Length);
        back.AsSpan(0, content.Length).SequenceEqual(content).ShouldBeTrue();
        (await Read("large", content.Length - 20, 20)).ShouldBe(content[^20..]);
    }

    [Fact]
    public async Task Read_gives_the_range_as_far_as_the_file_goes()
    {
        await Create("a", "0123456789");
        (await Read("a", 0, 4)).ShouldBe("0123"u8.ToArray());
        (await Read("a", 3, 4)).ShouldBe("3456"u8.ToArray());
        (await Read("a", 8, 4)).ShouldBe("89"u8.ToArray());
        (await Read("a", 10, 4)).ShouldBeEmpty();
        (await Read("a", 1_000, 4)).ShouldBeEmpty();
        (await Read("a", 3, 0)).ShouldBeEmpty();
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => Read("a", -1, 4));
    }

    [Fact]
    public async Task Read_and_find_a_name_that_is_not_there()
    {
        (await Should.ThrowAsync<FileNotFoundException>(() => Read("none/at/all", 0, 1))).Message.ShouldContain("none/at/all");
        (await Store.FindAsync(Name("none/at/all"), Cancelled)).ShouldBeNull();
        await Create("a/b", "file");
        (await Store.FindAsync(Name("a"), Cancelled)).ShouldBeNull("a folder is not a file");
        await Should.ThrowAsync<FileNotFoundException>(() => Read("none/at/all", 0, 0));
    }

    [Fact]
    public async Task List_gives_names_in_ordinal_order_and_their_lengths()
    {
        string[] names = ["b", "a.x", "a-x", "a/x", "a/y/z", "a0", "A", "a=1/b=2/c", "..."];
        foreach (string name in names)
            await Create(name, name);
        ArchiveFile[] expected =
            [.. names.Order(StringComparer.Ordinal).Select(n => new ArchiveFile(Name(n), n.Length))];
        (await List("")).ShouldBe(expected);
        (await List("a")).ShouldBe(expected.Where(f => f.Name.StartsWith(Name("a"), StringComparison.Ordinal)));
        (await List("a/")).ShouldBe([new(Name("a/x"), 3), new(Name("a/y/z"), 5)]);
        (await List("a/y/z")).ShouldBe([new(Name("a/y/z"), 5)]);
        (await List("a=1/b=")).ShouldBe([new(Name("a=1/b=2/c"), 9)]);
        (await List("none/at/all")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Delete_takes_a_file_away_and_its_name_is_free()
    {
        await Create("a/b", "one");
        await Create("a/c", "two");
        await Store.DeleteAsync(Name("a/b"), Cancelled);
        (await Store.FindAsync(Name("a/b"), Cancelled)).ShouldBeNull();
        (await List("")).ShouldBe([new(Name("a/c"), 3)]);
        await Store.DeleteAsync(Name("a/b"), Cancelled);
        await Store.DeleteAsync(Name("none/at/all"), Cancelled);
        (await Create("a/b", "three")).ShouldBeTrue();
        (await Text("a/b")).ShouldBe("three");
    }

    [Theory]
    [InlineData("../a")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("")]
    [InlineData(".partial/a")]
    public async Task Name_that_leaves_the_place_or_is_not_one_is_refused(string name)
    {
        await Should.ThrowAsync<ArgumentException>(() => Store.TryCreateAsync(name, Stream.Null, Cancelled));
        await Should.ThrowAsync<ArgumentException>(() => Store.ReadAsync(name, 0, new byte[1], Cancelled));
        await Should.ThrowAsync<ArgumentException>(async () => await Store.FindAsync(name, Cancelled));
        await Should.ThrowAsync<ArgumentException>(async () => await Store.DeleteAsync(name, Cancelled));
    }

    [Theory]
    [InlineData("../")]
    [InlineData("a/../b")]
    [InlineData("/")]
    [InlineData(".partial/")]
    public async Task Prefix_that_leaves_the_place_is_refused(string prefix) =>
        await Should.ThrowAsync<ArgumentException>(async () => await Store.ListAsync(prefix, Cancelled).ToListAsync(Cancelled));

    [Fact]
    public async Task Call_that_is_cancelled_ends_as_cancelled_and_makes_nothing()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        using var content = new MemoryStream(new byte[100]);
        await Should.ThrowAsync<OperationCanceledException>(() => Store.TryCreateAsync(Name("a"), content, cancelled.Token));
        (await Store.FindAsync(Name("a"), Cancelled)).ShouldBeNull();
    }

    [Fact]
    public async Task Stream_that_fails_in_the_middle_makes_nothing()
    {
        using var content = new FailingStream(100_000, 50_000);
        await Should.ThrowAsync<IOException>(() => Store.TryCreateAsync(Name("a"), content, Cancelled));
        (await Store.FindAsync(Name("a"), Cancelled)).ShouldBeNull();
        (await List("")).ShouldBeEmpty();
        (await Create("a", "whole")).ShouldBeTrue();
    }

    private protected async Task<bool> Create(string name, string content, IArchiveStore? store = null)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(content));
        return await (store ?? Store).TryCreateAsync(Name(name), stream, Cancelled);
    }

    private protected async Task<byte[]> Read(string name, long offset, int length)
    {
        byte[] buffer = new byte[length];
        int read = await Store.ReadAsync(Name(name), offset, buffer, Cancelled);
        return buffer[..read];
    }

    private protected async Task<string> Text(string name) => Encoding.UTF8.GetString(await Read(name, 0, 1_000));

    private protected async Task<List<ArchiveFile>> List(string prefix) =>
        await Store.ListAsync(Name(prefix), Cancelled).ToListAsync(Cancelled);
}
