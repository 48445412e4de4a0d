using MongoDB.Bson;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>MongoDB refused to write a document of a read model. Trying again does not help.</summary>
public sealed class DocumentWriteException : Exception
{
    internal DocumentWriteException(string collection, BsonDocument error)
        : base($"MongoDB refused a document of '{collection}': {error.GetValue("errmsg", "no reason given")} "
            + $"(code {error.GetValue("code", 0)}).") =>
        Code = error.GetValue("code", 0).ToInt32();

    /// <summary>MongoDB's error code.</summary>
    public int Code { get; }
}
