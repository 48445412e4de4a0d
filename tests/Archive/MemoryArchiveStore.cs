using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace KafkaEventSourcing.Archive.Tests;

/// <summary>An archive in memory that is as strict as the others, and in which anything can go wrong.</summary>
internal sealed class MemoryArchiveStore : IArchiveStore
{
    private readonly ConcurrentDictionary<string, byte[]> _files = new(StringComparer.Ordinal);

    /// <summary>Called before each call with what it does and the file; it may throw.</summary>
    public Action<string, string> Before { get; set; } = static (_, _) => { };

    /// <summary>Called after each call that has done its work; what it throws is an answer that was lost.</summary>
    public Action<string, string> After { get; set; } = static (_, _) => { };

    public string Location => "memory";

    /// <summary>The files.</summary>
    public ConcurrentDictionary<string, byte[]> Files => _files;

    public async Task<bool> TryCreateAsync(string name, Stream content, CancellationToken cancellationToken = default)
    {
        ArchiveFileNames.Check(name);
        Before("create", name);
        using var copy = new MemoryStream();
        await content.CopyToAsync(copy, cancellationToken);
        bool created = _files.TryAdd(name, copy.ToArray());
        After("create", name);
        return created;
    }

    public Task<int> ReadAsync(string name, long offset, Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Before("read", name);
        if (!_files.TryGetValue(name, out byte[]? content))
            throw new FileNotFoundException($"There is no {name}.", name);
        int count = (int)Math.Clamp(content.Length - offset, 0, buffer.Length);
        content.AsSpan((int)Math.Min(offset, content.Length), count).CopyTo(buffer.Span);
        return Task.FromResult(count);
    }

    public Task<long?> FindAsync(string name, CancellationToken cancellationToken = default)
    {
        Before("find", name);
        return Task.FromResult(_files.TryGetValue(name, out byte[]? content) ? (long?)content.Length : null);
    }

    public async IAsyncEnumerable<ArchiveFile> ListAsync(
        string prefix, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Before("list", prefix);
        await Task.Yield();
        foreach (KeyValuePair<string, byte[]> file in _files.Where(f => f.Key.StartsWith(prefix, StringComparison.Ordinal))
            .OrderBy(f => f.Key, StringComparer.Ordinal))
            yield return new ArchiveFile(file.Key, file.Value.Length);
    }

    public Task DeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        Before("delete", name);
        _files.TryRemove(name, out _);
        After("delete", name);
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
