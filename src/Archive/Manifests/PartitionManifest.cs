using System.Globalization;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Archive;

#pragma warning disable CA1001 // a semaphore of whose wait handle nobody asks holds nothing

/// <summary>
/// The ranges of one partition that are archived, as far as they were looked at: unbroken, of one topic, each entry naming the one before
/// it by its hash. Thread-safe.
/// </summary>
internal sealed class PartitionManifest(IArchiveStore store, ArchiveLayout layout, int partition)
{
    private readonly SemaphoreSlim _looking = new(1);
    private readonly List<RangeSummary> _known = []; // by who looks
    private volatile IReadOnlyList<RangeSummary> _ranges = [];

    /// <summary>The ranges that are known, in order.</summary>
    public IReadOnlyList<RangeSummary> Ranges => _ranges;

    /// <summary>Reads the entries that have come since, and returns all ranges.</summary>
    /// <exception cref="ArchiveDamagedException">An entry is missing, doubled, damaged, or of another topic than those before.</exception>
    /// <exception cref="IOException">The archive cannot be read.</exception>
    public async Task<IReadOnlyList<RangeSummary>> RefreshAsync(CancellationToken cancellationToken)
    {
        await _looking.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_known.Count == 0)
            {
                await foreach (ArchiveFile file in store.ListAsync(layout.ManifestOf(partition), cancellationToken).ConfigureAwait(false))
                {
                    if (!ArchiveLayout.TryReadStart(file.Name, out long start))
                        throw Damaged($"has the file {file.Name}, which is not an entry of it");
                    await Add(file.Name, start, cancellationToken).ConfigureAwait(false);
                }
            }

            while (_known is [.., var last]
                && await TryAdd(layout.EntryOf(partition, last.End), cancellationToken).ConfigureAwait(false))
            {
            }

            if (_known.Count > _ranges.Count)
                _ranges = [.. _known];
            return _ranges;
        }
        catch
        {
            _known.Clear(); // all is looked at again
            throw;
        }
        finally
        {
            _looking.Release();
        }
    }

    /// <summary>The whole entry of a range.</summary>
    /// <exception cref="ArchiveDamagedException">It is not there any more, or not as it was.</exception>
    public async Task<ArchivedRange> EntryOf(RangeSummary range, CancellationToken cancellationToken)
    {
        string name = layout.EntryOf(partition, range.Start);
        byte[] content = await ArchiveJson.FindAsync(store, name, cancellationToken).ConfigureAwait(false)
            ?? throw Damaged($"does not have the entry {name} any more");
        return ArchiveJson.HashOf(content) == range.Hash
            ? ArchiveJson.Read<ArchivedRange>(name, store.Location, content)
            : throw Damaged($"has another entry {name} than before");
    }

    private async Task Add(string name, long start, CancellationToken cancellationToken)
    {
        if (_known is [.., var last] && start < last.End)
            throw Damaged(string.Create(CultureInfo.InvariantCulture,
                $"has offsets twice: one range goes to {last.End}, and {name} begins before"));
        if (_known is [.., var before] && start > before.End)
            throw Damaged(string.Create(CultureInfo.InvariantCulture,
                $"lacks the offsets from {before.End} to {start}: the entry {layout.EntryOf(partition, before.End)} is missing"));
        if (!await TryAdd(name, cancellationToken).ConfigureAwait(false))
            throw Damaged($"does not have the entry {name} any more");
    }

    private async Task<bool> TryAdd(string name, CancellationToken cancellationToken)
    {
        if (await ArchiveJson.FindAsync(store, name, cancellationToken).ConfigureAwait(false) is not { } content)
            return false;
        ArchivedRange entry = ArchiveJson.Read<ArchivedRange>(name, store.Location, content);
        if (entry.Format > RangePlan.CurrentFormat)
            throw Damaged($"has the entry {name} of the format {entry.Format}, and this version reads up to {RangePlan.CurrentFormat}");
        if (entry.Topic != layout.Topic || entry.Partition != partition || layout.EntryOf(partition, entry.Start) != name
            || entry.End <= entry.Start || entry.Records > entry.End - entry.Start)
            throw Damaged($"has the entry {name}, which is of {entry.Topic}, partition {entry.Partition}, {entry.Start} to {entry.End}");
        if (_known is [.., var last])
        {
            if (entry.Previous != last.Hash)
                throw Damaged($"has the entry {name}, and the one before it is not the one that it was made after");
            if (entry.TopicId != last.TopicId)
                throw Damaged($"has the entry {name} of the topic with the id '{entry.TopicId}', and those before are of '{last.TopicId}'");
        }
        else if (entry.Previous is not null)
        {
            throw Damaged($"begins with the entry {name}, and that was not the first: those before it are missing");
        }

        _known.Add(RangeSummary.From(entry, ArchiveJson.HashOf(content)));
        return true;
    }

    private ArchiveDamagedException Damaged(string what) => new(string.Create(CultureInfo.InvariantCulture,
        $"The archive of {layout.Topic}, partition {partition}, in {store.Location} {what}. Bring back the files as they were."));
}

/// <summary>What of an archived range is kept in memory.</summary>
/// <param name="TopicId">Kafka's id of the topic.</param>
/// <param name="Start">The first offset.</param>
/// <param name="End">The first offset behind it.</param>
/// <param name="Records">How many records it has.</param>
/// <param name="RecordBytes">Their bytes.</param>
/// <param name="LastTimestamp">The latest time of its records, in milliseconds since 1970.</param>
/// <param name="Events">The file of its records.</param>
/// <param name="TableBytes">The length of all its tables.</param>
/// <param name="Hash">The SHA-256 of its entry.</param>
internal sealed record RangeSummary(string TopicId, long Start, long End, long Records, long RecordBytes, long LastTimestamp,
    ArchivedFile Events, long TableBytes, string Hash)
{
    /// <summary>Of an entry whose file has the hash <paramref name="hash"/>.</summary>
    public static RangeSummary From(ArchivedRange entry, string hash) => new(entry.TopicId, entry.Start, entry.End, entry.Records,
        entry.RecordBytes, entry.LastTimestamp, entry.Events, entry.Tables.Sum(t => t.File.Bytes), hash);
}
