using System.Globalization;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// Which leader epoch starts where: <c>leader-epoch-checkpoint</c>, a line with epoch and start offset each. The log's lock is held.
/// </summary>
internal sealed class LeaderEpochFileCache
{
    private readonly string _path;
    private readonly List<(int Epoch, long StartOffset)> _epochs = [];

    private LeaderEpochFileCache(string path) => _path = path;

    public int? Latest => _epochs.Count == 0 ? null : _epochs[^1].Epoch;

    public IReadOnlyList<(int Epoch, long StartOffset)> Epochs => _epochs;

    /// <summary>
    /// Reads the file; <paramref name="damaged"/> says that it was there and could not be read: the epochs come again from the batches.
    /// </summary>
    public static LeaderEpochFileCache Open(string directory, out bool damaged)
    {
        var cache = new LeaderEpochFileCache(Path.Combine(directory, "leader-epoch-checkpoint"));
        damaged = false;
        try
        {
            foreach (string[] fields in CheckpointFile.Read(cache._path) ?? [])
                cache._epochs.Add((int.Parse(fields[0], CultureInfo.InvariantCulture),
                    long.Parse(fields[1], CultureInfo.InvariantCulture)));
        }
        catch (Exception torn) when (torn is InvalidDataException or FormatException or IndexOutOfRangeException)
        {
            cache._epochs.Clear();
            damaged = true;
        }

        return cache;
    }

    /// <summary>Notes the first offset of an epoch.</summary>
    public void Assign(int epoch, long startOffset)
    {
        if (epoch < 0 || (Latest is { } latest && epoch <= latest))
            return;
        _epochs.Add((epoch, startOffset));
        try
        {
            Save();
        }
        catch
        {
            _epochs.RemoveAt(_epochs.Count - 1); // the append that begins the epoch is refused with this
            throw;
        }
    }

    /// <summary>The epoch that answers for <paramref name="epoch"/>, and where it ends; (-1, -1) when that is not known.</summary>
    public (int Epoch, long EndOffset) EndOffsetFor(int epoch, long logEndOffset)
    {
        if (epoch < 0)
            return (-1, -1);
        if (epoch == Latest)
            return (epoch, logEndOffset);
        int higher = _epochs.FindIndex(e => e.Epoch > epoch);
        if (higher < 0)
            return (-1, -1);
        return higher == 0 ? (epoch, _epochs[0].StartOffset) : (_epochs[higher - 1].Epoch, _epochs[higher].StartOffset);
    }

    public int EpochOf(long offset) => _epochs.FindLastIndex(e => e.StartOffset <= offset) is var at and >= 0 ? _epochs[at].Epoch : -1;

    public void TruncateFromEnd(long endOffset)
    {
        if (_epochs.RemoveAll(e => e.StartOffset >= endOffset && e.StartOffset > 0) > 0)
            Save();
    }

    public void TruncateFromStart(long startOffset)
    {
        int last = _epochs.FindLastIndex(e => e.StartOffset <= startOffset);
        if (last < 0 || (last == 0 && _epochs[0].StartOffset == startOffset))
            return;
        int epoch = _epochs[last].Epoch;
        _epochs.RemoveRange(0, last + 1);
        _epochs.Insert(0, (epoch, startOffset));
        Save();
    }

    private void Save() => CheckpointFile.Write(_path,
        [.. _epochs.Select(e => string.Create(CultureInfo.InvariantCulture, $"{e.Epoch} {e.StartOffset}"))]);
}
