using System.Globalization;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// Files of a folder that are being written, under names that are nobody's. Whoever writes holds the lock of a file as long as it lives:
/// what nobody holds any more, and is old besides, is what a process left that was killed.
/// </summary>
internal sealed class PartialFiles : IDisposable
{
    // Locks of some network file systems are not seen by other machines, whose clocks may differ: files that are younger are left alone.
    private static readonly TimeSpan LeftAlone = TimeSpan.FromHours(1);

    private const string LockSuffix = ".lock";
    private const string Suffix = ".partial";

    private readonly Lock _lock = new();
    private readonly string _folder;
    private FileStream? _owner;
    private string _ownName = "";
    private long _count;

    private PartialFiles(string folder) => _folder = folder;

    /// <summary>Takes the files of a folder, and removes those that nobody writes any more.</summary>
    public static PartialFiles Open(string root, TimeProvider time)
    {
        var files = new PartialFiles(Path.Combine(root, ArchiveFileNames.PartialFolder));
        files.RemoveLeftovers(time.GetUtcNow().UtcDateTime - LeftAlone);
        return files;
    }

    /// <summary>A path that nobody else writes to.</summary>
    public string Next()
    {
        lock (_lock)
        {
            // Somebody may have removed the lock's file before it was locked, and would take what is beside it for left behind.
            if (_owner is null || !File.Exists(_owner.Name))
            {
                _owner?.Dispose();
                Directory.CreateDirectory(_folder);
                _ownName = Guid.CreateVersion7().ToString("N");
                _owner = new FileStream(Path.Combine(_folder, _ownName + LockSuffix), new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.ReadWrite,
                    Share = FileShare.None,
                    Options = FileOptions.DeleteOnClose,
                });
            }

            return Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{_ownName}-{++_count}{Suffix}"));
        }
    }

    /// <summary>Ends it: nothing is being written any more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _owner?.Dispose();
            _owner = null;
        }
    }

    private void RemoveLeftovers(DateTime writtenBefore)
    {
        try
        {
            var folder = new DirectoryInfo(_folder);
            if (!folder.Exists)
                return;
            foreach (IGrouping<string, FileInfo> owner in folder.EnumerateFiles().GroupBy(f => f.Name.Split('-', '.')[0]))
                RemoveOf(owner.Key, owner, writtenBefore);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nothing rests on it: nobody reads them. A folder that is only read cannot be cleared, and somebody else may be clearing it.
        }
    }

    private void RemoveOf(string owner, IEnumerable<FileInfo> files, DateTime writtenBefore)
    {
        if (!Guid.TryParseExact(owner, "N", out _) || files.Any(f => f.LastWriteTimeUtc >= writtenBefore))
            return;
        using FileStream? held = TryHold(Path.Combine(_folder, owner + LockSuffix));
        if (held is null)
            return;
        foreach (FileInfo file in files.Where(f => f.Name.EndsWith(Suffix, StringComparison.Ordinal)))
            file.Delete();
    }

    private static FileStream? TryHold(string path)
    {
        try
        {
            return new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                Options = FileOptions.DeleteOnClose,
            });
        }
        catch (IOException)
        {
            return null; // its owner lives
        }
    }
}
