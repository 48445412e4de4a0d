using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using MongoDB.Bson.Serialization.Serializers;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// A DateTime as a date of BSON. One that says nothing of its zone is taken as it is: the driver takes it for the zone of the machine, and
/// nodes in other zones would store another time.
/// </summary>
internal sealed class ClockTimeSerializer : StructSerializerBase<DateTime>
{
    public override void Serialize(BsonSerializationContext context, BsonSerializationArgs args, DateTime value) =>
        context.Writer.WriteDateTime(BsonUtils.ToMillisecondsSinceEpoch(
            value.Kind == DateTimeKind.Local ? value.ToUniversalTime() : DateTime.SpecifyKind(value, DateTimeKind.Utc)));

    public override DateTime Deserialize(BsonDeserializationContext context, BsonDeserializationArgs args) =>
        BsonUtils.ToDateTimeFromMillisecondsSinceEpoch(context.Reader.ReadDateTime());
}
