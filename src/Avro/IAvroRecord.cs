using Avro.Specific;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// A value whose type was generated from an Avro record schema. It is also an <see cref="ISpecificRecord"/>, so Confluent's serializers
/// take it.
/// </summary>
public interface IAvroRecord : ISpecificRecord
{
    /// <summary>Writes the value in Avro's binary encoding, without any framing.</summary>
    void WriteTo(ref AvroWriter writer);
}

/// <summary>The generated type itself: its schema, and how it is read.</summary>
/// <typeparam name="TSelf">The generated type.</typeparam>
public interface IAvroRecord<TSelf> : IAvroRecord
    where TSelf : class, IAvroRecord<TSelf>
{
    /// <summary>The schema's text, as registered.</summary>
    static abstract string SchemaJson { get; }

    /// <summary>Reads a value that was written with this very schema.</summary>
    /// <exception cref="AvroDecodeException">The bytes are not such a value.</exception>
    static abstract TSelf ReadFrom(ref AvroReader reader);
}
