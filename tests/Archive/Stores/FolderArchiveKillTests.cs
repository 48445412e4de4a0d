using System.Diagnostics;
using System.Globalization;
using KafkaEventSourcing.Chaos.Cluster;

namespace KafkaEventSourcing.Archive.Tests;

/// <summary>
/// Writers of a folder that are killed, or whose disk is full. <c>KES_KILL_ROUNDS</c> says how many kills; the seed of
/// <c>KES_KILL_SEED</c> decides after which file, not how processes are scheduled.
/// </summary>
public sealed class FolderArchiveKillTests : IAsyncDisposable
{
    private const int Files = 400;
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-archive-kill-").FullName;
    private readonly FolderArchiveStore _store;

    public FolderArchiveKillTests() => _store = FolderArchiveStore.Create(_folder);

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Writers_that_are_killed_leave_whole_files_under_their_names_and_nothing_that_stays()
    {
        var random = new Random(Setting("KES_KILL_SEED", 20_261_201));
        var told = new HashSet<string>();
        int next = 0;
        for (int round = 0; round < Setting("KES_KILL_ROUNDS", 4); round++)
        {
            // Both make the same files, as two nodes do of which one has lost the partition and does not know.
            int first = next;
            using Process one = await Start();
            using Process other = await Start();
            try
            {
                int kills = random.Next(1, 12);
                for (int i = 0; i < Files; i++)
                {
                    string line = string.Create(CultureInfo.InvariantCulture, $"{NameOf(first + i)} {BytesOf(first + i)}");
                    await one.StandardInput.WriteLineAsync(line);
                    await other.StandardInput.WriteLineAsync(line);
                }

                for (int i = 0; i < kills; i++)
                {
                    string[] answers = [await Answer(one), await Answer(other)];
                    answers.Select(a => a.Split(' ')[1]).ShouldAllBe(n => n == NameOf(next));
                    answers.Select(a => a.Split(' ')[0]).Order(StringComparer.Ordinal).ShouldBe(["made", "there"]);
                    told.Add(NameOf(next++));
                }
            }
            finally
            {
                await Kill(one);
                await Kill(other);
            }

            List<ArchiveFile> files = await _store.ListAsync("", TestContext.Current.CancellationToken).ToListAsync();
            next = files.Count - 1;
            foreach (ArchiveFile file in files.Where(f => f.Name != "archive.json"))
            {
                int number = int.Parse(file.Name[^6..], CultureInfo.InvariantCulture);
                file.Bytes.ShouldBe(BytesOf(number), file.Name);
                if (number < first)
                    continue; // looked at before
                byte[] content = await File.ReadAllBytesAsync(Path.Combine(_folder, file.Name));
                content.AsSpan().SequenceEqual(ArchiveWriter.Content(file.Name, BytesOf(number))).ShouldBeTrue(file.Name);
            }

            told.Except(files.Select(f => f.Name)).ShouldBeEmpty("what was said to be made is there");
        }

        string partials = Path.Combine(_folder, ".partial");
        foreach (string left in Directory.EnumerateFiles(partials))
            File.SetLastWriteTimeUtc(left, TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-2));
        await new FolderArchiveStore(_folder).DisposeAsync();
        Directory.EnumerateFiles(partials).ShouldBeEmpty();
    }

    [Fact]
    public async Task Full_disk_refuses_a_file_leaves_nothing_of_it_and_takes_it_when_there_is_space_again()
    {
        Assert.SkipUnless(FileSizeLimit.IsSupported, "Only Linux limits the files of a running process.");
        using Process writer = await Start();
        try
        {
            await writer.StandardInput.WriteLineAsync("small/a 1000");
            (await Answer(writer)).ShouldBe("made small/a");
            FileSizeLimit.Set(writer.Id, 100_000);
            await writer.StandardInput.WriteLineAsync("large/b 3000000");
            (await Answer(writer)).ShouldStartWith($"refused large/b The file 'large/b' cannot be made in the archive in {_folder}: ");
            (await _store.FindAsync("large/b", TestContext.Current.CancellationToken)).ShouldBeNull();
            Directory.EnumerateFiles(Path.Combine(_folder, ".partial"), "*.partial").ShouldBeEmpty();
            FileSizeLimit.Lift(writer.Id);
            await writer.StandardInput.WriteLineAsync("large/b 3000000");
            (await Answer(writer)).ShouldBe("made large/b");
            writer.StandardInput.Close();
            await writer.WaitForExitAsync(TestContext.Current.CancellationToken);
            Directory.EnumerateFiles(Path.Combine(_folder, ".partial")).ShouldBeEmpty("a writer that ends in order leaves nothing");
        }
        finally
        {
            await Kill(writer);
        }
    }

    private static string NameOf(int number) => string.Create(CultureInfo.InvariantCulture,
        $"events/partition={number % 3}/{number:000000}");

    private static int BytesOf(int number) => number % 7 * 150_000;

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value) ? value : otherwise;

    private static async Task<string> Answer(Process writer) =>
        await writer.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken)
            ?? throw new InvalidOperationException("The writer has ended.");

    private static async Task Kill(Process writer)
    {
        if (!writer.HasExited)
            writer.Kill();
        await writer.WaitForExitAsync(CancellationToken.None);
    }

    private async Task<Process> Start()
    {
        IReadOnlyList<string> command =
            FileSizeLimit.Ignoring(["dotnet", typeof(ArchiveWriter).Assembly.Location, ArchiveWriter.Verb, _folder]);
        Process writer = Process.Start(new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
            Environment = { ["DOTNET_EnableDiagnostics"] = "0", ["DOTNET_gcServer"] = "0", ["DOTNET_TC_QuickJitForLoops"] = "1" },
        })!;
        (await Answer(writer)).ShouldBe(ArchiveWriter.Ready);
        return writer;
    }
}
