using System.Globalization;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// One segment: the <c>.log</c> file with record batches byte for byte, and its offset, time and transaction indexes. Appends belong to the
/// log's writer and make one system call; reads take no lock. Files are opened and indexes loaded when first needed; an index that is
/// missing or wrong is made anew from the log.
/// </summary>
internal sealed class LogSegment : IDisposable
{
    public const string LogExtension = ".log";
    public const string IndexExtension = ".index";
    public const string TimeIndexExtension = ".timeindex";
    public const string TransactionIndexExtension = ".txnindex";
    public const string CleanedSuffix = ".cleaned";
    public const string SwapSuffix = ".swap";
    public const string DeletedSuffix = ".deleted";
    private const long Unknown = -2;

    private static readonly string[] Extensions = [LogExtension, IndexExtension, TimeIndexExtension, TransactionIndexExtension];

    private readonly string _stem;
    private readonly SegmentFile _file;
    private readonly SegmentIndexes _indexes;
    private readonly long _created;
    private string _suffix;
    private long _firstBatchTimestamp = Unknown;

    private LogSegment(string directory, long baseOffset, string suffix, long now)
    {
        (BaseOffset, _suffix, _created) = (baseOffset, suffix, now);
        _stem = System.IO.Path.Combine(directory, NameOf(baseOffset));
        _file = new SegmentFile(baseOffset, () => Path);
        _indexes = new SegmentIndexes(baseOffset, _file, PathOf);
    }

    public string Path => PathOf(LogExtension);

    public long BaseOffset { get; }

    public long Size => _file.Size;

    /// <summary>A random part of <c>segment.ms</c> by which this segment rolls earlier.</summary>
    public long RollJitterMs { get; init; }

    /// <summary>The largest timestamp; -1 without one.</summary>
    public long MaxTimestamp => MaxTimestampAndOffset.Timestamp;

    public TimestampOffset MaxTimestampAndOffset => _indexes.MaxTimestamp;

    /// <summary>The largest timestamp, or when the file was last written while no record has one.</summary>
    public long LargestTimestamp => MaxTimestamp >= 0
        ? MaxTimestamp
        : new DateTimeOffset(File.GetLastWriteTimeUtc(Path)).ToUnixTimeMilliseconds();

    /// <summary>The timestamp of the first batch; -1 while there is none.</summary>
    public long FirstBatchTimestamp
    {
        get
        {
            if (_firstBatchTimestamp == Unknown)
            {
                _firstBatchTimestamp = -1;
                Scan(0, Math.Min(Size, RecordBatch.HeaderLength), false, (batch, _) => _firstBatchTimestamp = batch.MaxTimestamp,
                    headersOnly: true);
            }

            return _firstBatchTimestamp;
        }
    }

    public int IndexSize => _indexes.Size;

    /// <summary>The transactions that end here by an abort.</summary>
    public ReadOnlySpan<AbortedTransaction> AbortedTransactions => _indexes.Transactions.Entries;

    /// <summary>Whether the transaction index could not be read: it can only be made anew with the state of the producers.</summary>
    public bool TransactionIndexIsDamaged => _indexes.TransactionsAreDamaged;

    public bool HasIndexFile => File.Exists(PathOf(IndexExtension));

    public static string NameOf(long baseOffset) => baseOffset.ToString("D20", CultureInfo.InvariantCulture);

    /// <summary>A segment that is there. Nothing is read yet.</summary>
    public static LogSegment Open(string directory, long baseOffset, long now, long rollJitterMs = 0)
    {
        var segment = new LogSegment(directory, baseOffset, "", now) { RollJitterMs = rollJitterMs };
        segment._file.Size = new FileInfo(segment.Path).Length;
        return segment;
    }

    /// <summary>A new, empty segment.</summary>
    public static LogSegment Create(string directory, long baseOffset, long now, long rollJitterMs = 0, string suffix = "")
    {
        var segment = new LogSegment(directory, baseOffset, suffix, now) { RollJitterMs = rollJitterMs, _firstBatchTimestamp = -1 };
        segment._indexes.StartEmpty();
        foreach (string extension in Extensions)
            File.Delete(segment.PathOf(extension));
        segment._file.Open();
        return segment;
    }

    /// <summary>Whether a batch belongs into the next segment: this one is full, too old, or the offset is too far from the base.</summary>
    public bool ShouldRoll(LogConfig config, long now, int bytes, long maxTimestamp, long lastOffset)
    {
        if (Size > config.SegmentBytes - bytes || lastOffset - BaseOffset > int.MaxValue)
            return true;
        if (Size == 0)
            return false;
        if (IndexSize >= config.IndexBytes - TimeIndex.EntrySize)
            return true;
        long waited = FirstBatchTimestamp >= 0 ? maxTimestamp - FirstBatchTimestamp : now - _created;
        return waited > config.RollMs - RollJitterMs;
    }

    /// <summary>Writes whole batches whose offsets are set.</summary>
    public void Append(ReadOnlySpan<byte> batches, long lastOffset, TimestampOffset max, long indexInterval)
    {
        long position = Size;
        _file.Write(batches, position);
        if (position == 0)
            _firstBatchTimestamp = max.Timestamp;
        _indexes.Appended(position, lastOffset, max, indexInterval);
        _file.Size = position + batches.Length;
    }

    public void AppendAborted(in AbortedTransaction aborted) => _indexes.AppendAborted(aborted);

    /// <summary>
    /// Reads whole batches from the one that holds <paramref name="offset"/> on, at most <paramref name="maxBytes"/>, the first one in any
    /// case when <paramref name="minOne"/> says so, and none from <paramref name="limitOffset"/> on; into <paramref name="memory"/>, or
    /// into an array of their own.
    /// </summary>
    public Memory<byte> Read(long offset, int maxBytes, bool minOne, long limitOffset, RecordMemory? memory, out long nextOffset)
    {
        nextOffset = offset;
        long size = Size;
        if (Translate(offset, size) is not { } first || first.BaseOffset >= limitOffset)
            return default;
        if (first.Size > maxBytes && !minOne)
            return default;
        int want = (int)Math.Min(Math.Max(maxBytes, first.Size), size - first.Position);
        byte[] buffer = memory?.Rent(want) ?? GC.AllocateUninitializedArray<byte>(want);
        int read = _file.Read(buffer.AsSpan(0, want), first.Position);
        int end = 0;
        while (read - end >= RecordBatch.HeaderLength)
        {
            var batch = new RecordBatch(buffer.AsSpan(end, read - end));
            if (batch.Size > read - end || batch.BaseOffset >= limitOffset)
                break;
            nextOffset = batch.NextOffset;
            end += batch.Size;
        }

        return buffer.AsMemory(0, end);
    }

    /// <summary>
    /// How many bytes of batches there are from <paramref name="offset"/> up to the one that holds <paramref name="limitOffset"/>.
    /// </summary>
    public long BytesBetween(long offset, long limitOffset)
    {
        long size = Size;
        if (Translate(offset, size) is not { } first || first.BaseOffset >= limitOffset)
            return 0;
        return (Translate(limitOffset, size)?.Position ?? size) - first.Position;
    }

    /// <summary>Where the first batch that reaches <paramref name="offset"/> starts; null when there is none.</summary>
    public (long Position, int Size, long BaseOffset)? Translate(long offset, long size) =>
        _file.Find(offset, _indexes.Offsets.Lookup(offset), size);

    /// <summary>
    /// The first record from <paramref name="startOffset"/> on whose timestamp is at least <paramref name="timestamp"/>, with the leader
    /// epoch of its batch.
    /// </summary>
    public (long Offset, long Timestamp, int LeaderEpoch)? FindByTimestamp(long timestamp, long startOffset)
    {
        (long, long, int)? found = null;
        long position = _indexes.Offsets.Lookup(Math.Max(_indexes.Times.Lookup(timestamp).Offset, startOffset));
        Scan(position, Size, true, (batch, _) =>
        {
            if (found is not null || batch.MaxTimestamp < timestamp || batch.LastOffset < startOffset)
                return;
            bool stamped = batch.IsStampedByLog;
            (long baseOffset, long baseTimestamp, long max, int epoch) = (batch.BaseOffset, batch.BaseTimestamp, batch.MaxTimestamp,
                batch.PartitionLeaderEpoch);
            foreach (LogRecord record in RecordReader.Read(batch.Bytes.ToArray()))
            {
                long at = stamped ? max : baseTimestamp + record.TimestampDelta;
                if (at < timestamp || baseOffset + record.OffsetDelta < startOffset)
                    continue;
                found = (baseOffset + record.OffsetDelta, at, epoch);
                return;
            }
        }, until: () => found is not null);
        return found;
    }

    /// <summary>The offset after the last batch.</summary>
    public long ReadNextOffset()
    {
        long next = BaseOffset;
        Scan(_indexes.Offsets.Lookup(long.MaxValue), Size, false, (batch, _) => next = batch.NextOffset, headersOnly: true);
        return next;
    }

    /// <inheritdoc cref="SegmentFile.Scan"/>
    public long Scan(long position, long end, bool checkCrc, BatchVisitor visit, bool headersOnly = false, Func<bool>? until = null) =>
        _file.Scan(position, end, checkCrc, visit, headersOnly, until);

    /// <summary>Where a recovery has to start: behind what was flushed, where the indexes tell the place; else at the base.</summary>
    public (long Offset, long Position) RecoveryStart(long flushedOffset)
    {
        long position = 0;
        if (flushedOffset > BaseOffset && HasIndexFile && !TransactionIndexIsDamaged)
        {
            bool past = false;
            Scan(_indexes.Offsets.Lookup(flushedOffset - 1), Size, false, (batch, at) =>
            {
                past = batch.NextOffset >= flushedOffset;
                if (batch.NextOffset <= flushedOffset)
                    position = at + batch.Size;
            }, headersOnly: true, until: () => past);
        }

        return position == 0 ? (BaseOffset, 0) : (flushedOffset, position);
    }

    /// <summary>
    /// Checks all batches from <paramref name="start"/> on, makes the indexes anew from there, and cuts the file off behind the last whole
    /// batch. Returns how many bytes that took. The producers' state is that of the offset there.
    /// </summary>
    public long Recover((long Offset, long Position) start, long indexInterval, ProducerStateManager producers, LeaderEpochFileCache epochs)
    {
        _indexes.RestartAt(start, indexInterval);
        long end = Scan(start.Position, Size, true, (batch, position) =>
        {
            _indexes.Index(batch, position, indexInterval);
            epochs.Assign(batch.PartitionLeaderEpoch, batch.BaseOffset);
            if (producers.Update(batch) is { } aborted)
                _indexes.AppendAborted(aborted);
        });
        _firstBatchTimestamp = Unknown;
        long cut = Size - end;
        if (cut > 0)
            _file.Cut(end);

        WriteIndexes();
        return cut;
    }

    /// <summary>Makes the records, and what is known of aborted transactions, outlive the machine.</summary>
    public void Flush()
    {
        _file.Flush();
        _indexes.FlushTransactions();
    }

    /// <summary>Brings the index of transactions up to what is known.</summary>
    public void WriteTransactionIndex() => _indexes.WriteTransactions();

    /// <inheritdoc cref="SegmentFile.Try"/>
    public void TryWrite(int bytes) => _file.Try(bytes);

    /// <inheritdoc cref="SegmentFile.CutTornWrite"/>
    public void CutTornWrite() => _file.CutTornWrite();

    /// <summary>Brings the index files up to what is known. The largest timestamp is always the last entry.</summary>
    public void WriteIndexes() => _indexes.Write();

    /// <inheritdoc cref="SegmentFile.TryEnter"/>
    public bool TryEnter() => _file.TryEnter();

    public void Leave() => _file.Leave();

    /// <summary>Renames the files to another suffix.</summary>
    public void ChangeSuffix(string suffix)
    {
        // What reads the segment already goes on by the open file.
        _file.Open();
        _ = _indexes.Transactions;
        _indexes.Load();
        foreach (string extension in Extensions)
        {
            if (File.Exists(PathOf(extension)))
                File.Move(PathOf(extension), _stem + extension + suffix, overwrite: true);
        }

        _suffix = suffix;
    }

    public void DeleteFiles()
    {
        foreach (string extension in Extensions)
            File.Delete(PathOf(extension));
    }

    /// <summary>Closes the file once readers are done.</summary>
    public void Dispose() => _file.Dispose();

    private string PathOf(string extension) => _stem + extension + _suffix;
}
