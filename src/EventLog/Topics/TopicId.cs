using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// The id that Kafka gives a topic when it is created (KIP-516): a topic that is deleted and made again under its old name has another one,
/// so a place in the log is known by topic id, partition and offset. <c>default</c> is unknown: brokers before 2.8 have no topic ids.
/// </summary>
public readonly record struct TopicId
{
    private const int Bytes = 16;

    private readonly Guid _value;

    private TopicId(Guid value) => _value = value;

    /// <summary>Whether the id is not known.</summary>
    public bool IsUnknown => _value == Guid.Empty;

    /// <summary>The id of the two halves that Confluent's client shows, high half first.</summary>
    public static TopicId From(long mostSignificantBits, long leastSignificantBits)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        BinaryPrimitives.WriteInt64BigEndian(bytes, mostSignificantBits);
        BinaryPrimitives.WriteInt64BigEndian(bytes[sizeof(long)..], leastSignificantBits);
        return new TopicId(new Guid(bytes, bigEndian: true));
    }

    /// <summary>Reads what <see cref="ToString"/> wrote; empty text is the unknown id. False: it is not a topic id.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out TopicId id)
    {
        id = default;
        if (text.IsEmpty)
            return true;
        Span<byte> bytes = stackalloc byte[Bytes];
        if (!Base64Url.IsValid(text, out int length) || length != Bytes || !Base64Url.TryDecodeFromUtf8(text, bytes, out _))
            return false;
        id = new TopicId(new Guid(bytes, bigEndian: true));
        return true;
    }

    /// <summary>Reads what <see cref="ToString"/> wrote; empty text is the unknown id. False: it is not a topic id.</summary>
    public static bool TryParse(string text, out TopicId id)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(Encoding.UTF8.GetBytes(text), out id);
    }

    /// <summary>Whether the two are known to be of different topics. An unknown id differs from none.</summary>
    public bool Differs(TopicId other) => !IsUnknown && !other.IsUnknown && _value != other._value;

    /// <summary>The id as Kafka's tools show it, such as <c>kafka-topics --describe</c>; empty when it is unknown.</summary>
    public override string ToString() => IsUnknown ? "" : Base64Url.EncodeToString(_value.ToByteArray(bigEndian: true));
}
