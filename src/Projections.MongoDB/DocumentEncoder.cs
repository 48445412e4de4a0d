using System.Linq.Expressions;
using System.Reflection;
using MongoDB.Bson;
using MongoDB.Bson.IO;
using MongoDB.Bson.Serialization;
using MongoDB.Bson.Serialization.Serializers;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// Writes documents of a type byte for byte as the driver's class map would, with the key first: plain fields by code that is compiled
/// once, without boxes and look-ups; every other field, and types with inheritance or conditions, by the driver's own serializers.
/// Thread-safe.
/// </summary>
internal sealed class DocumentEncoder<TDocument>
    where TDocument : class
{
    private readonly Action<TDocument, BsonBuffer>? _fields;

    public DocumentEncoder(BsonClassMap map)
    {
        if (IsPlain(map))
            _fields = Compile([map.IdMemberMap, .. map.AllMemberMaps.Where(m => m != map.IdMemberMap)]);
    }

    /// <summary>Writes the fields of <paramref name="document"/> without the document's own length and end.</summary>
    public void WriteFields(TDocument document, BsonBuffer buffer)
    {
        if (_fields is not null && document.GetType() == typeof(TDocument))
            _fields(document, buffer);
        else
            buffer.Raw(FieldsOf(document.ToBson(args: new BsonSerializationArgs(typeof(TDocument), serializeAsNominalType: false,
                serializeIdFirst: true))));
    }

    private static bool IsPlain(BsonClassMap map) =>
        !map.DiscriminatorIsRequired && !map.IsRootClass && !map.HasRootClass && map.ExtraElementsMemberMap is null
        && map.AllMemberMaps.All(m => m.ShouldSerializeMethod is null && !m.IgnoreIfNull && !m.IgnoreIfDefault);

    private static ReadOnlySpan<byte> FieldsOf(byte[] document) => document.AsSpan(sizeof(int), document.Length - sizeof(int) - 1);

    private static Action<TDocument, BsonBuffer> Compile(IEnumerable<BsonMemberMap> members)
    {
        ParameterExpression document = Expression.Parameter(typeof(TDocument), "document");
        ParameterExpression buffer = Expression.Parameter(typeof(BsonBuffer), "buffer");
        IEnumerable<Expression> writes = members.Select(m => Write(buffer, m, Expression.MakeMemberAccess(document, m.MemberInfo)));
        return Expression.Lambda<Action<TDocument, BsonBuffer>>(Expression.Block(writes), document, buffer).Compile();
    }

    private static Expression Write(ParameterExpression buffer, BsonMemberMap member, MemberExpression value)
    {
        IBsonSerializer serializer = member.GetSerializer();
        Expression name = Expression.Convert(Expression.Constant(BsonBuffer.NameOf(member.ElementName)),
            typeof(ReadOnlySpan<byte>), AsSpan);
        if (PlainWriter(serializer) is { } plain)
            return Expression.Call(buffer, plain, name, value);
        if (Nullable.GetUnderlyingType(value.Type) is not null
            && serializer is IChildSerializerConfigurable { ChildSerializer: { } inner }
            && PlainWriter(inner) is { } ofValue)
        {
            return Expression.IfThenElse(
                Expression.Property(value, nameof(Nullable<>.HasValue)),
                Expression.Call(buffer, ofValue, name, Expression.Call(value, nameof(Nullable<>.GetValueOrDefault), null)),
                Expression.Call(buffer, nameof(BsonBuffer.Null), null, name));
        }

        Expression<Action<BsonBuffer, object?>> byDriver = (target, field) => WriteByDriver(target, member, field);
        return Expression.Invoke(byDriver, buffer, Expression.Convert(value, typeof(object)));
    }

    private static MethodInfo AsSpan { get; } = typeof(ReadOnlySpan<byte>).GetMethod("op_Implicit", [typeof(byte[])])!;

    private static MethodInfo? PlainWriter(IBsonSerializer serializer) => serializer switch
    {
        StringSerializer { Representation: BsonType.String } => Writer(nameof(BsonBuffer.String)),
        Int32Serializer { Representation: BsonType.Int32 } => Writer(nameof(BsonBuffer.Int32)),
        Int64Serializer { Representation: BsonType.Int64 } => Writer(nameof(BsonBuffer.Int64)),
        DoubleSerializer { Representation: BsonType.Double } => Writer(nameof(BsonBuffer.Double)),
        BooleanSerializer { Representation: BsonType.Boolean } => Writer(nameof(BsonBuffer.Boolean)),
        DateTimeSerializer { Representation: BsonType.DateTime, DateOnly: false } => Writer(nameof(BsonBuffer.DateTime)),
        _ => null,
    };

    private static MethodInfo Writer(string name) => typeof(BsonBuffer).GetMethod(name)!;

    private static void WriteByDriver(BsonBuffer buffer, BsonMemberMap member, object? value)
    {
        using var stream = new MemoryStream();
        using (var writer = new BsonBinaryWriter(stream))
        {
            BsonSerializationContext context = BsonSerializationContext.CreateRoot(writer);
            writer.WriteStartDocument();
            writer.WriteName(member.ElementName);
            member.GetSerializer().Serialize(context, value);
            writer.WriteEndDocument();
        }

        buffer.Raw(FieldsOf(stream.ToArray()));
    }
}
