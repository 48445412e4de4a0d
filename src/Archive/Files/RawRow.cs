using ParquetSharp;

namespace KafkaEventSourcing.Archive;

/// <summary>A record that is to be written; bytes are in <see cref="PinnedBytes"/>, and those that are null have no address.</summary>
internal struct RawRow
{
    public long Offset;
    public long Timestamp;
    public int TimestampType;
    public bool IsEvent;
    public long Version;
    public long Time;
    public int? SchemaId;
    public ByteArray? Key;
    public ByteArray? Value;
    public ByteArray? EventType;
    public ByteArray CommandId;
    public ByteArray? CorrelationId;
    public int FirstHeader;
    public int Headers;

    /// <summary><see cref="RowSortKey.OrderOf"/> its key.</summary>
    public ulong KeyOrder;
}
