using MongoDB.Bson;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>What the store must know of a document type: its key, which must be a string, and how its documents are written.</summary>
internal sealed class CollectionMapping<TDocument>
    where TDocument : class
{
    private static readonly HashSet<Type> Numbers =
    [
        typeof(byte), typeof(sbyte), typeof(short), typeof(ushort), typeof(int), typeof(uint), typeof(long), typeof(ulong), typeof(float),
        typeof(double), typeof(decimal), typeof(TimeSpan),
    ];

    private readonly Func<TDocument, string> _id;
    private readonly HashSet<string> _numbers;

    private CollectionMapping()
    {
        DocumentConventions.Apply(typeof(TDocument));
        BsonClassMap map = BsonClassMap.LookupClassMap(typeof(TDocument));
        if (map.IdMemberMap is not { } id || id.MemberType != typeof(string))
            throw new InvalidOperationException(
                $"The document type {typeof(TDocument).Name} needs a property 'Id' of type string: it is the key of its documents.");
        _id = document => (string)id.Getter(document);
        _numbers = [.. map.AllMemberMaps.Where(m => Numbers.Contains(Nullable.GetUnderlyingType(m.MemberType) ?? m.MemberType)).Select(m =>
            m.ElementName)];
        Encoder = new DocumentEncoder<TDocument>(map);
    }

    public static CollectionMapping<TDocument> Instance { get; } = new();

    public DocumentEncoder<TDocument> Encoder { get; }

    public string KeyOf(TDocument document) => _id(document);

    /// <summary>The document of <paramref name="key"/>, checked: a projection that gives a document another id would lose it.</summary>
    public TDocument Checked(string key, TDocument document) =>
        KeyOf(document) == key
            ? document
            : throw new InvalidOperationException(
                $"A projection named the key '{key}' and gave a {typeof(TDocument).Name} with the id "
                    + $"'{KeyOf(document)}'; they must be equal.");

    /// <summary>The update that adds <paramref name="delta"/>: its numbers are added, its other fields set on insert.</summary>
    public BsonDocument Adding(TDocument delta)
    {
        BsonDocument fields = delta.ToBsonDocument();
        var increments = new BsonDocument();
        var others = new BsonDocument();
        foreach (BsonElement field in fields)
        {
            if (field.Name == "_id")
                continue;
            // a time of day is a number only as it is stored
            (field.Value.IsNumeric && _numbers.Contains(field.Name) ? increments : others).Add(field);
        }

        var update = new BsonDocument();
        if (increments.ElementCount > 0)
            update.Add("$inc", increments);
        if (others.ElementCount > 0)
            update.Add("$setOnInsert", others);
        return update;
    }
}
