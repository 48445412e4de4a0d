using System.Buffers.Binary;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>The header fields of one record batch, format 2 (Apache Kafka, "Message Format"), over its bytes.</summary>
internal readonly ref struct RecordBatch(Span<byte> bytes)
{
    public const int HeaderLength = 61;
    public const int LogOverhead = 12;
    public const byte Magic = 2;
    private const int CrcOffset = 17;
    private const int AttributesOffset = 21;
    private const short TransactionalFlag = 0x10;
    private const short ControlFlag = 0x20;
    private const short TimestampTypeFlag = 0x08;
    private const short DeleteHorizonFlag = 0x40;
    private const short CodecMask = 0x07;

    private readonly Span<byte> _bytes = bytes;

    public long BaseOffset
    {
        get => BinaryPrimitives.ReadInt64BigEndian(_bytes);
        set => BinaryPrimitives.WriteInt64BigEndian(_bytes, value);
    }

    public int BatchLength => BinaryPrimitives.ReadInt32BigEndian(_bytes[8..]);

    /// <summary>The whole batch in bytes.</summary>
    public int Size => LogOverhead + BatchLength;

    public int PartitionLeaderEpoch
    {
        get => BinaryPrimitives.ReadInt32BigEndian(_bytes[12..]);
        set => BinaryPrimitives.WriteInt32BigEndian(_bytes[12..], value);
    }

    public byte MagicByte => _bytes[16];

    public uint Crc => BinaryPrimitives.ReadUInt32BigEndian(_bytes[CrcOffset..]);

    public short Attributes => BinaryPrimitives.ReadInt16BigEndian(_bytes[AttributesOffset..]);

    public int Codec => Attributes & 0x07;

    public bool IsTransactional => (Attributes & TransactionalFlag) != 0;

    public bool IsControl => (Attributes & ControlFlag) != 0;

    public bool IsStampedByLog => (Attributes & TimestampTypeFlag) != 0;

    /// <summary>When tombstones and markers of the batch may go; null while that was not set (KIP-534).</summary>
    public long? DeleteHorizonMs => (Attributes & DeleteHorizonFlag) != 0 ? BaseTimestamp : null;

    public int LastOffsetDelta => BinaryPrimitives.ReadInt32BigEndian(_bytes[23..]);

    public long LastOffset => BaseOffset + LastOffsetDelta;

    public long BaseTimestamp => BinaryPrimitives.ReadInt64BigEndian(_bytes[27..]);

    public long MaxTimestamp => BinaryPrimitives.ReadInt64BigEndian(_bytes[35..]);

    public long ProducerId => BinaryPrimitives.ReadInt64BigEndian(_bytes[43..]);

    public short ProducerEpoch => BinaryPrimitives.ReadInt16BigEndian(_bytes[51..]);

    public int BaseSequence => BinaryPrimitives.ReadInt32BigEndian(_bytes[53..]);

    public long NextOffset => LastOffset + 1;

    public bool HasProducerId => ProducerId >= 0;

    public int RecordCount => BinaryPrimitives.ReadInt32BigEndian(_bytes[57..]);

    /// <summary>Sequences wrap after <see cref="int.MaxValue"/>.</summary>
    public int LastSequence => (int)(((long)BaseSequence + LastOffsetDelta) & int.MaxValue);

    public ReadOnlySpan<byte> Records => _bytes[HeaderLength..Size];

    public ReadOnlySpan<byte> Bytes => _bytes[..Size];

    /// <summary>Of a marker: whether it commits. A marker whose record was cleaned away says neither: null.</summary>
    public bool? Commits
    {
        get
        {
            if (RecordCount < 1)
                return null;
            // The key: int16 version, int16 type.
            ReadOnlySpan<byte> record = Records;
            int at = FirstKey(record, out _);
            return record.Length >= at + 4 && BinaryPrimitives.ReadInt16BigEndian(record[(at + 2)..]) == 1;
        }
    }

    /// <summary>Of a marker that has its record: the epoch of the coordinator that wrote it.</summary>
    public int CoordinatorEpoch
    {
        get
        {
            ReadOnlySpan<byte> record = Records;
            int at = FirstKey(record, out int keyLength);
            at += keyLength;
            // value length; then the value: int16 version, int32 coordinator epoch.
            RecordReader.ReadVarlong(record, ref at);
            return record.Length >= at + 6 ? BinaryPrimitives.ReadInt32BigEndian(record[(at + 2)..]) : 0;
        }
    }

    // Where the first record's key is, behind length, attributes, timestamp delta, offset delta and its length.
    private static int FirstKey(ReadOnlySpan<byte> record, out int length)
    {
        int at = 0;
        RecordReader.ReadVarlong(record, ref at);
        at++;
        for (int i = 0; i < 2; i++)
            RecordReader.ReadVarlong(record, ref at);
        length = (int)RecordReader.ReadVarlong(record, ref at);
        return at;
    }

    public bool HasValidCrc => Crc32C.Compute(_bytes[AttributesOffset..Size]) == Crc;

    /// <summary>Marks the batch as stamped by the log; the checksum follows.</summary>
    public void SetLogAppendTime(long timestamp)
    {
        BinaryPrimitives.WriteInt16BigEndian(_bytes[AttributesOffset..], (short)(Attributes | TimestampTypeFlag));
        BinaryPrimitives.WriteInt64BigEndian(_bytes[35..], timestamp);
        Seal();
    }

    public void SetMaxTimestamp(long timestamp)
    {
        BinaryPrimitives.WriteInt64BigEndian(_bytes[35..], timestamp);
        Seal();
    }

    /// <summary>Sets what changes when records are written anew; the checksum follows.</summary>
    public void Rewrite(int size, int codec, long baseTimestamp, long maxTimestamp, int lastOffsetDelta, int recordCount,
        bool hasDeleteHorizon)
    {
        BinaryPrimitives.WriteInt32BigEndian(_bytes[8..], size - LogOverhead);
        int attributes = (Attributes & ~(CodecMask | DeleteHorizonFlag)) | codec | (hasDeleteHorizon ? DeleteHorizonFlag : 0);
        BinaryPrimitives.WriteInt16BigEndian(_bytes[AttributesOffset..], (short)attributes);
        BinaryPrimitives.WriteInt32BigEndian(_bytes[23..], lastOffsetDelta);
        BinaryPrimitives.WriteInt64BigEndian(_bytes[27..], baseTimestamp);
        BinaryPrimitives.WriteInt64BigEndian(_bytes[35..], maxTimestamp);
        BinaryPrimitives.WriteInt32BigEndian(_bytes[57..], recordCount);
        Seal();
    }

    private void Seal() => BinaryPrimitives.WriteUInt32BigEndian(_bytes[CrcOffset..], Crc32C.Compute(_bytes[AttributesOffset..Size]));

    /// <summary>What is wrong with the first batch of <paramref name="bytes"/>; None when it is whole.</summary>
    public static ErrorCode Check(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderLength)
            return ErrorCode.CorruptMessage;
        int length = BinaryPrimitives.ReadInt32BigEndian(bytes[8..]);
        if (length < HeaderLength - LogOverhead || length > bytes.Length - LogOverhead)
            return ErrorCode.CorruptMessage;
        return bytes[16] == Magic ? ErrorCode.None : ErrorCode.UnsupportedForMessageFormat;
    }

    /// <summary>What is wrong with the first batch of <paramref name="bytes"/> that is not whole; None when all are.</summary>
    public static ErrorCode CheckAll(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            ErrorCode error = Check(bytes);
            if (error != ErrorCode.None)
                return error;
            bytes = bytes[(LogOverhead + BinaryPrimitives.ReadInt32BigEndian(bytes[8..]))..];
        }

        return ErrorCode.None;
    }
}
