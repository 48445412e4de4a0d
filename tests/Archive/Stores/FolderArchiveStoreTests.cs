using System.Text;

namespace KafkaEventSourcing.Archive.Tests;

public sealed class FolderArchiveStoreTests : ArchiveStoreContract
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-archive-").FullName;

    private string Archive => Path.Combine(_folder, "archive");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private protected override Task<IArchiveStore> Open() => Task.FromResult<IArchiveStore>(FolderArchiveStore.Create(Archive));

    [Fact]
    public async Task Folder_without_an_archive_is_never_taken_for_an_empty_one()
    {
        string other = Path.Combine(_folder, "other");
        Should.Throw<ArchiveNotFoundException>(() => new FolderArchiveStore(other)).Message
            .ShouldStartWith($"There is no archive in {other}: it does not have the file archive.json.");
        Directory.Exists(other).ShouldBeFalse("opening makes nothing");
        Directory.CreateDirectory(other);
        Should.Throw<ArchiveNotFoundException>(() => new FolderArchiveStore(other));
        Directory.EnumerateFileSystemEntries(other).ShouldBeEmpty();
        await FolderArchiveStore.Create(other).DisposeAsync();
        await new FolderArchiveStore(other).DisposeAsync();
    }

    [Fact]
    public async Task Volume_that_is_gone_fails_every_call_and_is_not_written_to()
    {
        await Create("a", "content");
        string unmounted = Path.Combine(_folder, "volume");
        Directory.Move(Archive, unmounted);
        Directory.CreateDirectory(Archive); // what is where a volume was mounted

        (await Should.ThrowAsync<ArchiveNotFoundException>(() => Create("b", "content"))).Message.ShouldContain("may not be mounted");
        await Should.ThrowAsync<ArchiveNotFoundException>(() => Text("a"));
        await Should.ThrowAsync<ArchiveNotFoundException>(async () => await Store.FindAsync(Name("a"), Cancelled));
        await Should.ThrowAsync<ArchiveNotFoundException>(() => List(""));
        await Should.ThrowAsync<ArchiveNotFoundException>(async () => await Store.DeleteAsync(Name("a"), Cancelled));
        Directory.EnumerateFileSystemEntries(Archive).ShouldBeEmpty();

        await FolderArchiveStore.Create(Archive).DisposeAsync();
        (await Should.ThrowAsync<ArchiveNotFoundException>(() => List(""))).Message.ShouldContain("another one is in its place");

        Directory.Delete(Archive, recursive: true);
        Directory.Move(unmounted, Archive);
        (await Text("a")).ShouldBe("content");
        (await Create("b", "content")).ShouldBeTrue("it goes on when the volume is there again");
    }

    [Fact]
    public void Place_that_is_a_file_or_another_ones_folder_is_refused()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "text");
        Should.Throw<ArchiveNotFoundException>(() => new FolderArchiveStore(file)).Message.ShouldContain("it is a file, not a folder");
        Should.Throw<IOException>(() => FolderArchiveStore.Create(file)).Message.ShouldStartWith($"An archive cannot be made in {file}: ");
        string home = Directory.CreateDirectory(Path.Combine(_folder, "home")).FullName;
        File.WriteAllText(Path.Combine(home, "letter.txt"), "text");
        Should.Throw<IOException>(() => FolderArchiveStore.Create(home)).Message.ShouldContain("it has other files, as 'letter.txt'");
    }

    [Theory]
    [InlineData("{}", "is not that of an archive: ")]
    [InlineData("", "is not that of an archive: ")]
    [InlineData("""{"archive":"photos","format":1,"id":"0198b2c4-0000-7000-8000-000000000000"}""", "is not that of an archive of events.")]
    [InlineData("""{"archive":"kafka-event-sourcing","format":2,"id":"0198b2c4-0000-7000-8000-000000000000"}""",
        "has format 2, and this version reads 1.")]
    public void Archive_of_a_later_format_or_of_somebody_else_is_refused(string marker, string expected)
    {
        string other = Directory.CreateDirectory(Path.Combine(_folder, "other")).FullName;
        File.WriteAllText(Path.Combine(other, "archive.json"), marker);
        Should.Throw<IOException>(() => new FolderArchiveStore(other)).Message.ShouldContain(expected);
    }

    [Fact]
    public async Task Name_of_a_folder_is_not_taken_for_a_file_that_is_there()
    {
        await Create("a/b", "content");
        (await Should.ThrowAsync<IOException>(() => Create("a", "content"))).Message
            .ShouldBe($"The file '{Name("a")}' cannot be made in the archive in {Archive}: it is a folder");
        (await Should.ThrowAsync<IOException>(() => Create("a/b/c", "content"))).Message.ShouldContain($"The file '{Name("a/b/c")}'");
    }

    [Fact]
    public async Task List_leaves_out_what_is_being_written_and_what_is_somebody_elses()
    {
        await Create("a", "content");
        File.WriteAllText(Path.Combine(Archive, "letter to.txt"), "text");
        Directory.CreateDirectory(Path.Combine(Archive, "lost+found"));
        File.WriteAllText(Path.Combine(Archive, ".partial", "0198b2c400007000800000000000abcd-1.partial"), "half");
        List<ArchiveFile> all = await Store.ListAsync("", Cancelled).ToListAsync(Cancelled);
        all.Select(f => f.Name).ShouldBe(["archive.json", Name("a")]);
    }

    [Fact]
    public async Task Leftovers_go_when_their_writer_is_gone_and_they_are_old()
    {
        await Create("a", "content"); // the lock of this writer is there now
        string partials = Path.Combine(Archive, ".partial");
        string living = Directory.EnumerateFiles(partials).ShouldHaveSingleItem();
        DateTime old = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-2);
        string[] left =
        [
            Left(Path.GetFileNameWithoutExtension(living) + "-9.partial", old), // somebody writes it, slowly
            Left("0198b2c400007000800000000000aaaa-1.partial", old),
            Left("0198b2c400007000800000000000aaaa.lock", old),
            Left("0198b2c400007000800000000000bbbb-1.partial", old), // its lock is gone
            Left("0198b2c400007000800000000000cccc-1.partial", null), // of just now: its lock may not be seen here
            Left("letter.txt", old), // not ours
        ];
        File.SetLastWriteTimeUtc(living, old);

        await new FolderArchiveStore(Archive).DisposeAsync();
        Directory.EnumerateFiles(partials).Order(StringComparer.Ordinal)
            .ShouldBe(new[] { left[4], left[0], left[5], living }.Order(StringComparer.Ordinal));

        string Left(string name, DateTime? time)
        {
            string path = Path.Combine(partials, name);
            File.WriteAllText(path, "half");
            if (time is { } at)
                File.SetLastWriteTimeUtc(path, at);
            return path;
        }
    }

    [Fact]
    public async Task File_that_is_removed_while_it_is_written_is_written_again()
    {
        using var content = new DeletingStream(Path.Combine(Archive, ".partial"));
        (await Store.TryCreateAsync(Name("a"), content, Cancelled)).ShouldBeTrue();
        (await Text("a")).ShouldBe("content");
        (await Store.ListAsync("", Cancelled).ToListAsync(Cancelled)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Archive_that_is_only_read_needs_no_right_to_write_and_a_write_says_what_is_missing()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess, "Rights of files do not bind whoever runs this.");
        await Create("a", "content");
        if (OperatingSystem.IsWindows())
            return;
        string[] folders = [Archive, .. Directory.EnumerateDirectories(Archive, "*", SearchOption.AllDirectories)];
        await Store.DisposeAsync();
        foreach (string folder in folders)
            File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            await using var reader = new FolderArchiveStore(Archive);
            (await reader.FindAsync(Name("a"), Cancelled)).ShouldBe(7);
            using var content = new MemoryStream([1]);
            (await Should.ThrowAsync<IOException>(() => reader.TryCreateAsync(Name("b"), content, Cancelled))).Message
                .ShouldStartWith($"The file '{Name("b")}' cannot be made in the archive in {Archive}: ");
            (await Should.ThrowAsync<IOException>(() => reader.DeleteAsync(Name("a"), Cancelled))).Message.ShouldContain(
                "cannot be deleted");
        }
        finally
        {
            foreach (string folder in folders)
                File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    // Removes at its first reading what is being written, as one would that takes it for left behind.
    private sealed class DeletingStream(string partials) : MemoryStream(Encoding.UTF8.GetBytes("content"))
    {
        private bool _hasDeleted;

        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
        {
            if (!_hasDeleted)
            {
                foreach (string file in Directory.EnumerateFiles(partials))
                    File.Delete(file);
            }

            _hasDeleted = true;
            return base.CopyToAsync(destination, bufferSize, cancellationToken);
        }
    }
}
