using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MongoDB.Bson;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// How far one projection is in one event partition, as stored. The document's <c>check</c> follows from its other fields: one that was
/// changed by hand is known.
/// </summary>
internal static class Checkpoint
{
    public const string Projection = "projection";
    public const string Aggregate = "aggregate";
    public const string Partition = "partition";
    public const string Build = "build";
    public const string NextOffset = "nextOffset";
    public const string Topic = "topic";
    public const string Check = "check";

    public static string IdOf(string projection, EventPartition partition) =>
        string.Create(CultureInfo.InvariantCulture, $"{projection}/{partition}");

    public static BsonBinaryData Binary(Guid id) => new(id, GuidRepresentation.Standard);

    public static BsonDocument First(CheckpointMove move)
    {
        string id = IdOf(move.Projection, move.Partition);
        return new BsonDocument { { "_id", id }, { Projection, move.Projection } }
            .Add(Aggregate, move.Partition.Aggregate, move.Partition.Aggregate is not null)
            .AddRange(new BsonDocument { { Partition, move.Partition.Partition }, { Build, Binary(move.Build) } })
            .AddRange(Position(move));
    }

    /// <summary>The fields that a move sets.</summary>
    public static BsonDocument Position(CheckpointMove move) => new()
    {
        { NextOffset, move.To },
        { Topic, (BsonValue?)move.TopicId ?? BsonNull.Value },
        { Check, CheckOf(IdOf(move.Projection, move.Partition), move.Build, move.To, move.TopicId) },
    };

    public static ReadModelCheckpoint Read(BsonDocument stored)
    {
        if (IdOfBuild(stored) is not { } build || !stored.TryGetValue(NextOffset, out BsonValue next) || !next.IsNumeric)
            return new ReadModelCheckpoint(default, 0, null, IsGenuine: false);
        string? topic = stored.GetValue(Topic, BsonNull.Value) is BsonString id ? id.Value : null;
        bool isGenuine = next.IsInt64
            && stored.GetValue(Check, BsonNull.Value) is BsonInt64 check
            && check.Value == CheckOf(stored["_id"].ToString()!, build, next.AsInt64, topic);
        return new ReadModelCheckpoint(build, next.ToInt64(), topic, isGenuine);
    }

    public static Guid? IdOfBuild(BsonDocument stored) =>
        stored.GetValue(Build, BsonNull.Value) is BsonBinaryData { SubType: BsonBinarySubType.UuidStandard } id ? id.ToGuid() : null;

    private static long CheckOf(string id, Guid build, long next, string? topic) =>
        BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(
            Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id} {build:N} {next} {topic}"))));
}
