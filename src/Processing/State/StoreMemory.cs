using System.Collections.Concurrent;
using RocksDbSharp;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// What state stores share: one budget for their memory tables and one cache of blocks, so that memory does not grow with the number of
/// partitions. When the tables together reach the budget, the store that has the most is written out, whichever store the write was for:
/// quiet ones must not make a busy one write out little by little. It lives as long as the process. Thread-safe.
/// </summary>
internal sealed class StoreMemory
{
    private const int LargestAcrossStores = 2; // RocksDB's WriteBufferFlushPolicy::kFlushLargestAcrossDBs
    private const long MiB = 1024 * 1024;

    private static readonly long DefaultWriteBuffers = Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 16, 8 * MiB, 256 * MiB);
    private static readonly ConcurrentDictionary<(long WriteBuffers, long Blocks), Lazy<StoreMemory>> OfSizes = [];

    private readonly IntPtr _writeBuffers;
    private readonly Cache _blocks;

    /// <summary>So many bytes for the memory tables and for the blocks that are read from files.</summary>
    public StoreMemory(long writeBufferBytes, long blockCacheBytes)
    {
        WriteBufferBytes = writeBufferBytes;
        _writeBuffers = Native.Instance.rocksdb_write_buffer_manager_create_with_policy((UIntPtr)writeBufferBytes, 0, LargestAcrossStores);
        _blocks = Cache.CreateLru((ulong)blockCacheBytes);
    }

    /// <summary>
    /// That of all stores of this process: for memory tables a sixteenth of the memory that the process may have (a limit of its container
    /// or of its heap counts, as the runtime sees it), from 8 to 256 MiB; for blocks half of that.
    /// </summary>
    public static StoreMemory OfProcess => With(new StateStoreOptions());

    /// <summary>What the memory tables may take.</summary>
    public long WriteBufferBytes { get; }

    /// <summary>What the memory tables take now.</summary>
    public long WriteBufferUsage => (long)Native.Instance.rocksdb_write_buffer_manager_memory_usage(_writeBuffers);

    /// <summary>Opens the store in <paramref name="directory"/> with its share, and makes it where there is none.</summary>
    /// <exception cref="IOException">Another process has the store open, or the folder cannot be used.</exception>
    public RocksDb Open(string directory, int maxOpenFiles)
    {
        Directory.CreateDirectory(directory);
        DbOptions options = new DbOptions()
            .SetCreateIfMissing(true)
            .SetMaxOpenFiles(maxOpenFiles)
            .SetKeepLogFileNum(2)
            .SetMaxLogFileSize(1024UL * 1024)
            .SetCompression(Compression.No)
            .SetWriteBufferSize((ulong)Math.Clamp(WriteBufferBytes / 4, MiB, 32 * MiB))
            .SetBlockBasedTableFactory(new BlockBasedTableOptions().SetBlockCache(_blocks).SetCacheIndexAndFilterBlocks(true));
        Native.Instance.rocksdb_options_set_write_buffer_manager(options.Handle, _writeBuffers);
        try
        {
            return RocksDb.Open(options, directory);
        }
        catch (RocksDbException failed)
        {
            throw new IOException($"The state store {directory} cannot be opened: {failed.Message} If another process uses this data "
                + $"folder, end it or give another one; "
                + "a damaged store may be deleted, it is filled again from the events.", failed);
        }
    }

    /// <summary>That of all stores of this process whose options have the same sizes.</summary>
    public static StoreMemory With(StateStoreOptions options)
    {
        (long WriteBuffers, long Blocks) sizes = (options.WriteBufferBytes ?? DefaultWriteBuffers,
            options.BlockCacheBytes ?? DefaultWriteBuffers / 2);
        return OfSizes.GetOrAdd(sizes, static s => new Lazy<StoreMemory>(() => new StoreMemory(s.WriteBuffers, s.Blocks))).Value;
    }
}
