using RocksDbSharp;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>The RocksDB that documents are in, and how it is set.</summary>
internal static class DocumentDatabase
{
    private const double MemtableBloomRatio = 0.05;

    /// <exception cref="IOException">It cannot be opened: another process uses it, or it is damaged.</exception>
    public static RocksDb Open(string directory, EmbeddedMongoDBOptions settings)
    {
        DbOptions options = new DbOptions()
            .SetCreateIfMissing(true)
            .SetWriteBufferSize((ulong)settings.WriteBufferBytes)
            .SetLevel0FileNumCompactionTrigger(6)
            .SetMaxBackgroundCompactions(2)
            .SetMaxOpenFiles(512)
            .SetKeepLogFileNum(2)
            .SetCompression(Compression.No)
            .SetBlockBasedTableFactory(new BlockBasedTableOptions().SetFilterPolicy(BloomFilterPolicy.Create(10, false)).SetBlockCache(
                Cache.CreateLru((ulong)settings.BlockCacheBytes)));
        // Most keys that an insert looks for are not there: a filter over the memory table answers without a search.
        Native.Instance.rocksdb_options_set_memtable_prefix_bloom_size_ratio(options.Handle, MemtableBloomRatio);
        Native.Instance.rocksdb_options_set_memtable_whole_key_filtering(options.Handle, 1);
        try
        {
            return RocksDb.Open(options, directory);
        }
        catch (RocksDbException failed)
        {
            throw new IOException($"The MongoDB data folder {directory} cannot be opened: {failed.Message} If another process uses it, "
                + $"end that one, or name another folder.", failed);
        }
    }
}
