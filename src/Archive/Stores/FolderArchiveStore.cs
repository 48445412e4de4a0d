using System.Collections.Concurrent;
using System.IO.Enumeration;
using System.Runtime.CompilerServices;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// An archive in a folder. A file is written under another name, flushed to disk, and then named, which fails where there is one of its
/// name; whoever writes at the same time may be another process, or another machine that has the folder mounted. Thread-safe.
/// </summary>
/// <remarks>
/// The folder has a file <c>archive.json</c> since <see cref="Create"/>. Where it is not there, or is another archive's than when the
/// folder was opened, each call fails: the folder of a volume that is not mounted is empty, and an archive is never taken for empty because
/// of it.
/// </remarks>
public sealed class FolderArchiveStore : IArchiveStore
{
    private const int CopyBytes = 1 << 20;

    private readonly string _root;
    private readonly ArchiveMarker _marker;
    private readonly PartialFiles _partials;

    // Folders whose own entries, up to the root's, are on disk.
    private readonly ConcurrentDictionary<string, bool> _durable = new(StringComparer.Ordinal);

    /// <summary>Opens the archive in a folder.</summary>
    /// <exception cref="ArchiveNotFoundException">There is none; see <see cref="Create"/>.</exception>
    /// <exception cref="IOException">The folder cannot be read, or its archive is of a later version.</exception>
    public FolderArchiveStore(string path)
        : this(path, TimeProvider.System)
    {
    }

    internal FolderArchiveStore(string path, TimeProvider time)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        _root = Path.GetFullPath(path);
        _marker = ReadMarker();
        _partials = PartialFiles.Open(_root, time);
    }

    /// <inheritdoc/>
    public string Location => _root;

    /// <summary>Makes an archive in a folder, which is made too, and opens it; one that is there already is opened as it is.</summary>
    /// <exception cref="IOException">The folder cannot be written, or has other files and no archive.</exception>
    public static FolderArchiveStore Create(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        string root = Path.GetFullPath(path);
        string marker = Path.Combine(root, ArchiveMarker.FileName);
        if (File.Exists(marker))
            return new FolderArchiveStore(root);
        try
        {
            MakeFolder(root);
            string[] others = [.. Directory.EnumerateFileSystemEntries(root).Select(p => Path.GetFileName(p)).Where(n =>
                n is not (ArchiveFileNames.PartialFolder or ArchiveMarker.FileName or "lost+found"))];
            if (others.Length > 0 && !File.Exists(marker))
                throw new IOException($"it has other files, as '{others[0]}', and is not an archive, which wants a folder of its own");
            using PartialFiles partials = PartialFiles.Open(root, TimeProvider.System);
            string partial = partials.Next();
            try
            {
                using (var file = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None))
                {
                    file.Write(ArchiveMarker.Create().ToUtf8());
                    file.Flush(flushToDisk: true);
                }

                DurableEntries.TryName(partial, marker); // or somebody else has made one: the archive is theirs
                DurableEntries.Flush(root);
            }
            finally
            {
                File.Delete(partial);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"An archive cannot be made in {root}: {e.Message}", e);
        }

        return new FolderArchiveStore(root);
    }

    /// <inheritdoc/>
    public async Task<bool> TryCreateAsync(string name, Stream content, CancellationToken cancellationToken = default)
    {
        string path = PathOf(name);
        ArgumentNullException.ThrowIfNull(content);
        long start = content.Position;
        try
        {
            const int attempts = 3; // somebody may take for left behind what is being written, where locks do not reach
            for (int attempt = 1; ; attempt++)
            {
                try
                {
                    content.Position = start;
                    return await TryWriteAsync(path, content, cancellationToken);
                }
                catch (FileNotFoundException) when (attempt < attempts)
                {
                }
            }
        }
        catch (Exception e) when (e is (IOException or UnauthorizedAccessException) and not ArchiveNotFoundException)
        {
            throw new IOException($"The file '{name}' cannot be made in the archive in {_root}: {e.Message}", e);
        }
        catch (ArgumentOutOfRangeException tooLarge)
        {
            // What .NET makes of EFBIG: a file system or a limit that has no room for a file of that length.
            throw new IOException($"The file '{name}' cannot be made in the archive in {_root}: File too large", tooLarge);
        }
    }

    /// <inheritdoc/>
    public async Task<int> ReadAsync(string name, long offset, Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        string path = PathOf(name);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        try
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous);
            int total = 0;
            while (total < buffer.Length)
            {
                int read = await RandomAccess.ReadAsync(file, buffer[total..], offset + total, cancellationToken);
                if (read == 0)
                    break;
                total += read;
            }

            return total;
        }
        catch (Exception none) when (none is FileNotFoundException or DirectoryNotFoundException)
        {
            CheckMarker();
            throw new FileNotFoundException($"There is no file '{name}' in the archive in {_root}.", name, none);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The file '{name}' of the archive in {_root} cannot be read: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public Task<long?> FindAsync(string name, CancellationToken cancellationToken = default)
    {
        var file = new FileInfo(PathOf(name));
        try
        {
            if (file.Exists)
                return Task.FromResult<long?>(file.Length);
        }
        catch (FileNotFoundException)
        {
            // Deleted in between.
        }

        CheckMarker();
        return Task.FromResult<long?>(null);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ArchiveFile> ListAsync(
        string prefix, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArchiveFileNames.CheckPrefix(prefix);
        List<ArchiveFile> files = await Task.Run(() => FilesOf(prefix, cancellationToken), cancellationToken);
        foreach (ArchiveFile file in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return file;
        }
    }

    /// <inheritdoc/>
    public Task DeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        string path = PathOf(name);
        try
        {
            CheckMarker();
            if (File.Exists(path))
            {
                File.Delete(path);
                DurableEntries.Flush(Path.GetDirectoryName(path)!);
            }

            return Task.CompletedTask;
        }
        catch (Exception e) when (e is (IOException or UnauthorizedAccessException) and not ArchiveNotFoundException)
        {
            throw new IOException($"The file '{name}' of the archive in {_root} cannot be deleted: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _partials.Dispose();
        return ValueTask.CompletedTask;
    }

    // Makes a folder and those above it, each with its entry on disk.
    private static void MakeFolder(string folder)
    {
        if (Directory.Exists(folder))
            return;
        string? parent = Path.GetDirectoryName(folder);
        if (parent is not null)
            MakeFolder(parent);
        Directory.CreateDirectory(folder);
        if (parent is not null)
            DurableEntries.Flush(parent);
    }

    private async Task<bool> TryWriteAsync(string path, Stream content, CancellationToken cancellationToken)
    {
        CheckMarker();
        string partial = _partials.Next();
        try
        {
            long length = content.Length - content.Position;
            await using (var file = new FileStream(partial, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                Share = FileShare.Read | FileShare.Delete,
                BufferSize = 0,
                Options = FileOptions.Asynchronous,
            }))
            {
                await content.CopyToAsync(file, CopyBytes, cancellationToken);
                if (file.Length != length)
                    throw new IOException($"what was to be written ended after {file.Length} bytes of {length}");
                file.Flush(flushToDisk: true);
            }

            cancellationToken.ThrowIfCancellationRequested();
            string folder = Path.GetDirectoryName(path)!;
            MakeDurable(folder);
            CheckMarker();
            bool isNamed = DurableEntries.TryName(partial, path);
            if (!isNamed && Directory.Exists(path))
                throw new IOException("it is a folder");

            // Where there is one it may be of just now, and this caller rests on it too.
            DurableEntries.Flush(folder);
            return isNamed;
        }
        finally
        {
            File.Delete(partial);
        }
    }

    // A folder that is there may be somebody's who has not come to flush it.
    private void MakeDurable(string folder)
    {
        if (folder.Length <= _root.Length || (_durable.ContainsKey(folder) && Directory.Exists(folder)))
            return;
        string parent = Path.GetDirectoryName(folder)!;
        MakeDurable(parent);
        Directory.CreateDirectory(folder);
        DurableEntries.Flush(parent);
        _durable[folder] = true;
    }

    private string PathOf(string name) => Path.Combine(_root, ArchiveFileNames.Check(name));

    private List<ArchiveFile> FilesOf(string prefix, CancellationToken cancellationToken)
    {
        string start = prefix.LastIndexOf('/') is >= 0 and var slash ? Path.Combine(_root, prefix[..slash]) : _root;
        List<ArchiveFile> files = [];
        try
        {
            foreach (ArchiveFile file in Entries(start))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (file.Name.StartsWith(prefix, StringComparison.Ordinal))
                    files.Add(file);
            }
        }
        catch (DirectoryNotFoundException)
        {
            files.Clear();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The files of the archive in {_root} cannot be listed: {e.Message}", e);
        }

        CheckMarker();
        files.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return files;
    }

    // What cannot be called so is somebody else's, as 'lost+found' of a volume.
    private FileSystemEnumerable<ArchiveFile> Entries(string start)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false };
        return new FileSystemEnumerable<ArchiveFile>(start, NewFile, options)
        {
            ShouldIncludePredicate = (ref entry) => !entry.IsDirectory && ArchiveFileNames.IsPart(entry.FileName),
            ShouldRecursePredicate = (ref entry) => ArchiveFileNames.IsPart(entry.FileName)
                && !(entry.FileName is ArchiveFileNames.PartialFolder && entry.Directory.Length <= _root.Length),
        };
    }

    private ArchiveFile NewFile(ref FileSystemEntry entry)
    {
        string path = Path.GetRelativePath(_root, entry.ToFullPath());
        return new ArchiveFile(Path.DirectorySeparatorChar == '/' ? path : path.Replace(Path.DirectorySeparatorChar, '/'), entry.Length);
    }

    private void CheckMarker()
    {
        if (ReadMarker() is var marker && marker.Id != _marker.Id)
            throw new ArchiveNotFoundException(
                $"The archive in {_root} is not there any more: another one is in its place, which was made later or elsewhere.");
    }

    private ArchiveMarker ReadMarker()
    {
        try
        {
            using var file = new FileStream(Path.Combine(_root, ArchiveMarker.FileName), FileMode.Open, FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete, bufferSize: 1);
            byte[] text = new byte[(int)Math.Min(file.Length, ArchiveMarker.MaxBytes)];
            file.ReadExactly(text);
            return ArchiveMarker.Parse(text, _root);
        }
        catch (Exception none) when (none is FileNotFoundException or DirectoryNotFoundException || File.Exists(_root))
        {
            throw File.Exists(_root)
                ? new ArchiveNotFoundException($"There is no archive in {_root}: it is a file, not a folder.", none)
                : ArchiveMarker.Missing(_root, none);
        }
        catch (Exception e) when (e is UnauthorizedAccessException)
        {
            throw new IOException($"The archive in {_root} cannot be read: {e.Message}", e);
        }
    }
}
