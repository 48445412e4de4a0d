using MongoDB.Bson;
using MongoDB.Bson.IO;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>Documents of read models as they are stored. Thread-safe.</summary>
public static class ReadModelDocuments
{
    /// <summary>Checks that documents of <paramref name="projection"/> can be stored and read back.</summary>
    /// <param name="projection">The projection.</param>
    /// <param name="sample">A document with every property filled.</param>
    /// <exception cref="InvalidOperationException">They cannot; the message names the property.</exception>
    public static void Check(ProjectionDefinition projection, object sample)
    {
        ArgumentNullException.ThrowIfNull(projection);
        ArgumentNullException.ThrowIfNull(sample);
        DocumentConventions.Apply(projection.DocumentType);
        BsonClassMap map;
        try
        {
            map = BsonClassMap.LookupClassMap(projection.DocumentType);
        }
        catch (Exception unusable) when (unusable is BsonException or InvalidOperationException or ArgumentException
            or NotSupportedException)
        {
            throw Refused("", unusable.Message, unusable);
        }

        if (map.IdMemberMap is not { } id || id.MemberType != typeof(string))
            throw Refused("", "it needs a property 'Id' of type string, the key of its documents.", null);
        foreach (BsonMemberMap member in map.AllMemberMaps)
        {
            if (member.ElementName == DocumentVersion.Field)
                throw Refused($", property {member.MemberName},", $"the field {DocumentVersion.Field} has the document's version.", null);
            try
            {
                BsonDocument first = Written(member, member.Getter(sample));
                using var reader = new BsonDocumentReader(first);
                reader.ReadStartDocument();
                reader.ReadName();
                object? back = member.GetSerializer().Deserialize(BsonDeserializationContext.CreateRoot(reader));
                if (Written(member, back) != first)
                    throw Refused($", property {member.MemberName} ({member.MemberType.Name}),",
                        "what is read back is not what was written.", null);
            }
            catch (Exception unusable) when (unusable is BsonException or FormatException or OverflowException or NotSupportedException
                or ArgumentException or InvalidCastException or TypeInitializationException)
            {
                throw Refused($", property {member.MemberName} ({member.MemberType.Name}),", unusable.Message, unusable);
            }
        }

        try
        {
            BsonSerializer.Deserialize(ToBson(projection, sample), projection.DocumentType);
        }
        catch (Exception unusable) when (unusable is BsonException or FormatException or NotSupportedException or ArgumentException)
        {
            throw Refused("", unusable.Message, unusable);
        }

        InvalidOperationException Refused(string property, string why, Exception? inner) =>
            new($"The document type {projection.DocumentType.Name} of the read model '{projection.Name}'{property} cannot be stored in "
                + $"MongoDB: {why}", inner);
    }

    /// <summary>How <paramref name="document"/> of <paramref name="projection"/> is stored, its key first.</summary>
    public static BsonDocument ToBson(ProjectionDefinition projection, object document)
    {
        ArgumentNullException.ThrowIfNull(projection);
        DocumentConventions.Apply(projection.DocumentType);
        var stored = new BsonDocument();
        using var writer = new BsonDocumentWriter(stored);
        BsonSerializer.Serialize(writer, projection.DocumentType, document,
            args: new BsonSerializationArgs(projection.DocumentType, serializeAsNominalType: false, serializeIdFirst: true));
        return stored;
    }

    private static BsonDocument Written(BsonMemberMap member, object? value)
    {
        var document = new BsonDocument();
        using var writer = new BsonDocumentWriter(document);
        writer.WriteStartDocument();
        writer.WriteName(member.ElementName);
        member.GetSerializer().Serialize(BsonSerializationContext.CreateRoot(writer), value);
        writer.WriteEndDocument();
        return document;
    }
}
