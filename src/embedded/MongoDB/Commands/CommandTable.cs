using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>The commands by their names. Those that only tell what this server is are here, every other one in a file of its own.</summary>
internal static class CommandTable
{
    private const string Version = "7.0.0";

    private static readonly Dictionary<string, Func<CommandContext, Task<BsonDocument>>> Commands = new(StringComparer.OrdinalIgnoreCase)
    {
        ["find"] = AtOnce(FindCommand.Run),
        ["aggregate"] = AtOnce(AggregateCommand.Run),
        ["count"] = AtOnce(CountCommand.Run),
        ["distinct"] = AtOnce(DistinctCommand.Run),
        ["getMore"] = AtOnce(GetMoreCommand.Run),
        ["killCursors"] = AtOnce(KillCursorsCommand.Run),
        ["explain"] = AtOnce(ExplainCommand.Run),
        ["insert"] = InsertCommand.Run,
        ["update"] = UpdateCommand.Run,
        ["delete"] = DeleteCommand.Run,
        ["findAndModify"] = FindAndModifyCommand.Run,
        ["create"] = AtOnce(CreateCommand.Run),
        ["drop"] = AtOnce(DropCommand.Run),
        ["dropDatabase"] = AtOnce(DropDatabaseCommand.Run),
        ["renameCollection"] = AtOnce(RenameCollectionCommand.Run),
        ["listCollections"] = AtOnce(ListCollectionsCommand.Run),
        ["listIndexes"] = AtOnce(ListIndexesCommand.Run),
        ["createIndexes"] = AtOnce(CreateIndexesCommand.Run),
        ["dropIndexes"] = AtOnce(DropIndexesCommand.Run),
        ["listDatabases"] = AtOnce(ListDatabasesCommand.Run),
        ["collStats"] = AtOnce(CollStatsCommand.Run),
        ["hello"] = AtOnce(c => HelloCommand.Run(c.Server)),
        ["isMaster"] = AtOnce(c => HelloCommand.Run(c.Server)),
        ["ping"] = AtOnce(_ => new BsonDocument()),
        ["buildInfo"] = AtOnce(_ =>
            new BsonDocument
            {
                { "version", Version },
                { "versionArray", new BsonArray { 7, 0, 0, 0 } },
                { "gitVersion", "embedded" },
                { "modules", new BsonArray() },
                { "bits", 64 },
                { "maxBsonObjectSize", 16777216 },
                { "storageEngines", new BsonArray { "rocksdb" } },
            }),
        ["getParameter"] = AtOnce(_ => new BsonDocument("featureCompatibilityVersion", new BsonDocument("version", "7.0"))),
        ["connectionStatus"] = AtOnce(_ =>
            new BsonDocument("authInfo",
                new BsonDocument { { "authenticatedUsers", new BsonArray() }, { "authenticatedUserRoles", new BsonArray() } })),
        ["serverStatus"] = AtOnce(c =>
            new BsonDocument { { "host", c.Server.Address }, { "version", Version }, { "process", "mongod" }, { "ok", 1.0 } }),
        ["hostInfo"] = AtOnce(_ => new BsonDocument("system", new BsonDocument("hostname", Environment.MachineName))),
        ["getLog"] = AtOnce(_ => new BsonDocument { { "totalLinesWritten", 0 }, { "log", new BsonArray() } }),
        ["getCmdLineOpts"] = AtOnce(_ => new BsonDocument { { "argv", new BsonArray() }, { "parsed", new BsonDocument() } }),
        ["whatsmyuri"] = AtOnce(c => new BsonDocument("you", c.Server.Address)),
        ["startSession"] = AtOnce(c =>
            new BsonDocument
            {
                { "id", new BsonDocument("id",
                    new BsonBinaryData(Guid.CreateVersion7(c.Server.Time.GetUtcNow()), GuidRepresentation.Standard)) },
                { "timeoutMinutes", 30 },
            }),
        ["refreshSessions"] = AtOnce(_ => new BsonDocument()),
        ["endSessions"] = AtOnce(EndSessionsCommand.Run),
        ["killSessions"] = AtOnce(EndSessionsCommand.Run),
        ["currentOp"] = AtOnce(c => new BsonDocument("inprog", c.Server.Operations.ToBson())),
        ["killOp"] = AtOnce(KillOpCommand.Run),
    };

    /// <summary>Runs a command; null when there is no such one.</summary>
    public static Func<CommandContext, Task<BsonDocument>>? Find(string name) => Commands.GetValueOrDefault(name);

    private static Func<CommandContext, Task<BsonDocument>> AtOnce(Func<CommandContext, BsonDocument> run) => context =>
        Task.FromResult(run(context));
}
