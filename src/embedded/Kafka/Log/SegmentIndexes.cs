using Microsoft.Win32.SafeHandles;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// The indexes of a segment, by offset, by time and of aborted transactions, and its largest timestamp. They are loaded when first needed;
/// one that is missing or wrong is made anew from the log. One writer; lookups take no lock.
/// </summary>
internal sealed class SegmentIndexes(long baseOffset, SegmentFile log, Func<string, string> pathOf)
{
    private const long Unknown = -2;
    private const int RebuildInterval = 4096;

    private readonly OffsetIndex _offsets = new(baseOffset);
    private readonly TimeIndex _times = new(baseOffset);
    private readonly TransactionIndex _transactions = new(baseOffset);
    private readonly Lock _loadLock = new();
    private bool _isLoaded;
    private bool _transactionsAreLoaded;
    private bool _transactionsAreDamaged;
    private long _sizeAtEntry;
    private long _maxTimestamp = Unknown;
    private long _offsetOfMaxTimestamp;

    public OffsetIndex Offsets
    {
        get
        {
            Load();
            return _offsets;
        }
    }

    public TimeIndex Times
    {
        get
        {
            Load();
            return _times;
        }
    }

    public TransactionIndex Transactions
    {
        get
        {
            if (Volatile.Read(ref _transactionsAreLoaded))
                return _transactions;
            lock (_loadLock)
            {
                if (!_transactionsAreLoaded)
                    _transactionsAreDamaged = !_transactions.TryLoad(TransactionPath);
                Volatile.Write(ref _transactionsAreLoaded, true);
            }

            return _transactions;
        }
    }

    /// <summary>Whether the index of transactions could not be read: it can only be made anew with the state of the producers.</summary>
    public bool TransactionsAreDamaged
    {
        get
        {
            _ = Transactions;
            return _transactionsAreDamaged;
        }
    }

    public TimestampOffset MaxTimestamp
    {
        get
        {
            if (Interlocked.Read(ref _maxTimestamp) == Unknown)
            {
                lock (_loadLock)
                {
                    TimestampOffset last = _isLoaded ? _times.Last : _times.ReadLast(pathOf(LogSegment.TimeIndexExtension)) ?? Times.Last;
                    if (_maxTimestamp == Unknown)
                        SetMax(last);
                }
            }

            return new TimestampOffset(Interlocked.Read(ref _maxTimestamp), Interlocked.Read(ref _offsetOfMaxTimestamp));
        }
    }

    /// <summary>The size of the larger one of the files by offset and by time.</summary>
    public int Size => Math.Max(Offsets.SizeInBytes, Times.SizeInBytes);

    private string TransactionPath => pathOf(LogSegment.TransactionIndexExtension);

    /// <summary>There is nothing to load: the segment is new.</summary>
    public void StartEmpty() => (_isLoaded, _transactionsAreLoaded, _maxTimestamp) = (true, true, -1);

    /// <summary>Notes what was written at <paramref name="position"/>.</summary>
    public void Appended(long position, long lastOffset, TimestampOffset max, long interval)
    {
        if (max.Timestamp > MaxTimestamp.Timestamp)
            SetMax(max);
        if (position - _sizeAtEntry <= interval)
            return;
        Offsets.Append(lastOffset, position);
        Times.MaybeAppend(_maxTimestamp, _offsetOfMaxTimestamp);
        _sizeAtEntry = position;
    }

    public void AppendAborted(in AbortedTransaction aborted) => Transactions.Append(TransactionPath, aborted);

    /// <summary>
    /// Forgets what is at <paramref name="start"/> or behind it: it is indexed anew. What is before it is indexed to its end.
    /// </summary>
    public void RestartAt((long Offset, long Position) start, long interval)
    {
        if (start.Position == 0)
        {
            (_isLoaded, _transactionsAreLoaded, _transactionsAreDamaged) = (true, true, false);
            Clear();
            _transactions.Reset(TransactionPath);
            return;
        }

        Offsets.TruncateToPosition(start.Position);
        Times.TruncateToOffset(start.Offset);
        Transactions.TruncateToOffset(TransactionPath, start.Offset);
        SetMax(Times.Last);
        // What was flushed may reach further than the index files.
        _sizeAtEntry = Offsets.Lookup(long.MaxValue);
        log.Scan(_sizeAtEntry, start.Position, false, (batch, position) =>
        {
            if (position > _sizeAtEntry || position == 0)
                Index(batch, position, interval);
        }, headersOnly: true);
    }

    /// <summary>Takes a batch that is in the log.</summary>
    public void Index(in RecordBatch batch, long position, long interval)
    {
        if (batch.MaxTimestamp > _maxTimestamp)
            SetMax(new TimestampOffset(batch.MaxTimestamp, batch.LastOffset));
        if (position - _sizeAtEntry <= interval)
            return;
        _offsets.Append(batch.LastOffset, position);
        _times.MaybeAppend(_maxTimestamp, _offsetOfMaxTimestamp);
        _sizeAtEntry = position;
    }

    public void Load()
    {
        if (Volatile.Read(ref _isLoaded))
            return;
        lock (_loadLock)
        {
            if (_isLoaded)
                return;
            bool fits = _offsets.TryLoad(pathOf(LogSegment.IndexExtension), Math.Max(1, log.Size))
                && _times.TryLoad(pathOf(LogSegment.TimeIndexExtension));
            if (fits)
                _sizeAtEntry = _offsets.Lookup(long.MaxValue);
            else
                Rebuild();
            Volatile.Write(ref _isLoaded, true);
        }
    }

    /// <summary>Brings the files up to what is known. The largest timestamp is always the last entry.</summary>
    public void Write()
    {
        WriteTransactions();
        if (!_isLoaded)
            return;
        if (_maxTimestamp >= 0)
            _times.MaybeAppend(_maxTimestamp, _offsetOfMaxTimestamp);
        _offsets.Write(pathOf(LogSegment.IndexExtension));
        _times.Write(pathOf(LogSegment.TimeIndexExtension));
    }

    /// <summary>Brings the index of transactions up to what is known.</summary>
    public void WriteTransactions()
    {
        if (_transactionsAreLoaded)
            _transactions.Write(TransactionPath);
    }

    /// <summary>Makes what is known of aborted transactions outlive the machine.</summary>
    public void FlushTransactions()
    {
        if (Transactions.Entries.Length == 0 || !File.Exists(TransactionPath))
            return;
        using SafeFileHandle file = FileWrite.Open(TransactionPath);
        RandomAccess.FlushToDisk(file);
    }

    private void Rebuild()
    {
        Clear();
        log.Scan(0, log.Size, false, (batch, position) => Index(batch, position, RebuildInterval), headersOnly: true);
        if (_maxTimestamp >= 0)
            _times.MaybeAppend(_maxTimestamp, _offsetOfMaxTimestamp);
    }

    private void Clear()
    {
        _offsets.Reset();
        _times.Reset();
        _sizeAtEntry = 0;
        SetMax(_times.Last);
    }

    private void SetMax(TimestampOffset max)
    {
        Interlocked.Exchange(ref _offsetOfMaxTimestamp, max.Offset);
        Interlocked.Exchange(ref _maxTimestamp, max.Timestamp);
    }
}
