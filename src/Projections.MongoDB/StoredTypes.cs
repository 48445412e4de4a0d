using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using MongoDB.Bson.Serialization.Conventions;
using MongoDB.Bson.Serialization.Options;
using MongoDB.Bson.Serialization.Serializers;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// How .NET values are stored where the driver has no default, or one that does not sort as the values compare: a Guid as UUID (binary 4),
/// a DateTimeOffset as the instant in UTC, a DateTime without a zone as it is, a TimeSpan in ticks, a decimal as Decimal128, unsigned
/// numbers in a type that holds all of them; keys of dictionaries as text. In nullables, collections and dictionaries too. An attribute of
/// the driver on the property goes first.
/// </summary>
internal sealed class StoredTypes : ConventionBase, IMemberMapConvention
{
    public void Apply(BsonMemberMap memberMap)
    {
        IBsonSerializer present = memberMap.GetSerializer();
        IBsonSerializer stored = Stored(present);
        if (!ReferenceEquals(present, stored))
            memberMap.SetSerializer(stored);
    }

    private static IBsonSerializer Stored(IBsonSerializer serializer) => serializer switch
    {
        GuidSerializer { Representation: BsonType.Binary, GuidRepresentation: GuidRepresentation.Unspecified } =>
            GuidSerializer.StandardInstance,
        DateTimeSerializer { Kind: DateTimeKind.Utc, DateOnly: false, Representation: BsonType.DateTime } => new ClockTimeSerializer(),
        DateTimeOffsetSerializer => new DateTimeOffsetSerializer(BsonType.DateTime),
        TimeSpanSerializer => new TimeSpanSerializer(BsonType.Int64, TimeSpanUnits.Ticks),
        TimeOnlySerializer => new TimeOnlySerializer(BsonType.Int64, TimeOnlyUnits.Ticks),
        DecimalSerializer => new DecimalSerializer(BsonType.Decimal128),
        UInt32Serializer => new UInt32Serializer(BsonType.Int64),
        UInt64Serializer => new UInt64Serializer(BsonType.Decimal128),
        IBsonDictionarySerializer dictionary => OfDictionary(serializer, dictionary),
        IChildSerializerConfigurable { ChildSerializer: { } child } parent when Stored(child) is var other
            && !ReferenceEquals(child, other) => parent.WithChildSerializer(other),
        _ => serializer,
    };

    private static IBsonSerializer OfDictionary(IBsonSerializer serializer, IBsonDictionarySerializer dictionary)
    {
        IBsonSerializer key = KeyOf(dictionary.KeySerializer);
        IBsonSerializer value = Stored(dictionary.ValueSerializer);
        if (ReferenceEquals(key, dictionary.KeySerializer) && ReferenceEquals(value, dictionary.ValueSerializer))
            return serializer;
        return serializer is IMultipleChildSerializersConfigurable parts ? parts.WithChildSerializers([key, value]) : serializer;
    }

    private static IBsonSerializer KeyOf(IBsonSerializer key) => key switch
    {
        StringSerializer => key,
        IRepresentationConfigurable { Representation: not BsonType.String } configurable when key is GuidSerializer or Int32Serializer
            or Int64Serializer or DateOnlySerializer
            || key.ValueType.IsEnum => configurable.WithRepresentation(BsonType.String),
        _ => key,
    };
}
