using System.Buffers;
using System.Collections.Frozen;

namespace KafkaEventSourcing.Avro;

/// <summary>Encodes messages for one topic. Immutable and thread-safe.</summary>
public sealed class TopicEncoder
{
    private readonly FrozenDictionary<Type, int> _ids;
    private readonly IFieldProtection? _protection;

    internal TopicEncoder(string topic, FrozenDictionary<Type, int> ids, IFieldProtection? protection) =>
        (Topic, _ids, _protection) = (topic, ids, protection);

    /// <summary>The topic.</summary>
    public string Topic { get; }

    /// <summary>
    /// Writes <paramref name="value"/> with its header to <paramref name="output"/>. Allocates nothing besides what the buffer does.
    /// </summary>
    /// <exception cref="InvalidOperationException">The type of the value was not prepared for this topic.</exception>
    /// <exception cref="AvroEncodeException">A field cannot be encoded, or is tagged as personal without being said of whom.</exception>
    public void Encode(IAvroRecord value, IBufferWriter<byte> output) => Encode(value, null, output);

    /// <summary>
    /// The same, of a message about <paramref name="subject"/>: what is personal in it is sealed for it, unless its schema says for whom.
    /// </summary>
    /// <exception cref="InvalidOperationException">The type of the value was not prepared for this topic.</exception>
    /// <exception cref="SubjectErasedException">It says something personal of somebody who was erased, and not
    /// <paramref name="marksErased"/>, which has the marker written instead.</exception>
    public void Encode(IAvroRecord value, string? subject, IBufferWriter<byte> output, bool marksErased = false)
    {
        if (!_ids.TryGetValue(value.GetType(), out int id))
            throw new InvalidOperationException($"{value.GetType().Name} is not a message type of the topic {Topic}.");
        WireFormat.WriteHeader(output, id);
        var writer = new AvroWriter(output, _protection, subject, marksErased);
        value.WriteTo(ref writer);
        writer.Flush();
    }
}
