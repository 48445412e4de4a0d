using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB;

/// <summary>A command that is answered with one of MongoDB's error codes.</summary>
internal sealed class MongoCommandException(MongoErrorCode code, string message) : Exception(message)
{
    public MongoErrorCode Code => code;

    /// <summary>Labels by which drivers decide what to do, such as <c>TransientTransactionError</c>.</summary>
    public string[] Labels { get; init; } = [];

    /// <summary>Of a duplicate key: the index.</summary>
    public BsonDocument? KeyPattern { get; init; }

    /// <summary>Of a duplicate key: the values.</summary>
    public BsonDocument? KeyValue { get; init; }
}

/// <summary>MongoDB's error codes; their names are the code names that it tells.</summary>
internal enum MongoErrorCode
{
    InternalError = 1,
    BadValue = 2,
    FailedToParse = 9,
    TypeMismatch = 14,
    InvalidOptions = 72,
    NamespaceNotFound = 26,
    IndexNotFound = 27,
    PathNotViable = 28,
    ConflictingUpdateOperators = 40,
    MaxTimeMSExpired = 50,
    CursorNotFound = 43,
    NamespaceExists = 48,
    DollarPrefixedFieldName = 52,
    CommandNotFound = 59,
    ImmutableField = 66,
    InvalidNamespace = 73,
    IndexOptionsConflict = 85,
    WriteConflict = 112,
    CommandNotSupported = 115,
    CursorKilled = 237,
    ConversionFailure = 241,
    NoSuchTransaction = 251,
    TransactionTooLarge = 257,
    TransactionTooOld = 225,
    ClientDisconnect = 279,
    InterruptedAtShutdown = 11600,
    Interrupted = 11601,
    DuplicateKey = 11000,
    BSONObjectTooLarge = 10334,
    Location40324 = 40324,
    InvalidPipelineOperator = 168,
    OutOfDiskSpace = 14031,
    QueryExceededMemoryLimitNoDiskUseAllowed = 292,
    OperationNotSupportedInTransaction = 263,
}
