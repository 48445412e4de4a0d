using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>One command on its way.</summary>
internal sealed class CommandContext(MongoServer server, BsonDocument command, Dictionary<string, List<ReadOnlyMemory<byte>>> sequences,
    Operation operation)
{
    public MongoServer Server => server;

    public DocumentStore Store => server.Store;

    public BsonDocument Command => command;

    /// <summary>This run of the command, which may be ended.</summary>
    public Operation Operation => operation;

    public string Name { get; } = command.GetElement(0).Name;

    public string Database { get; } = command.TryGetValue("$db", out BsonValue db)
        ? db.AsString
        : throw new MongoCommandException((MongoErrorCode)40571, "OP_MSG requests require a $db argument");

    /// <summary>The multi-document transaction that the command is part of; null without one.</summary>
    public StoreTransaction? Transaction { get; set; }

    /// <summary>The collection that the command names.</summary>
    public string CollectionName => command[0] is BsonString { Value.Length: > 0 } name
        ? name.Value
        : throw new MongoCommandException(MongoErrorCode.InvalidNamespace,
            $"collection name has invalid type {BsonTypes.Name(command[0].BsonType)}");

    public string Namespace => $"{Database}.{CollectionName}";

    public CollectionDefinition? Collection => Store.Find(Database, CollectionName);

    public BsonDocument Document(string name) => command.TryGetValue(name, out BsonValue value) && value is BsonDocument document
        ? document
        : [];

    public bool Flag(string name) => command.TryGetValue(name, out BsonValue value) && Expression.IsTrue(value);

    public long Number(string name, long fallback) =>
        command.TryGetValue(name, out BsonValue value) && value.IsNumeric ? value.ToInt64() : fallback;

    /// <summary>A list of documents: from a section of the message, or from the command itself.</summary>
    public List<ReadOnlyMemory<byte>> Documents(string name) =>
        sequences.TryGetValue(name, out List<ReadOnlyMemory<byte>>? documents) ? documents
        : command.TryGetValue(name, out BsonValue value) && value is BsonArray array
        ? [.. array.Select(d => new ReadOnlyMemory<byte>(d.AsBsonDocument.ToBson()))]
        : throw new MongoCommandException((MongoErrorCode)40414, $"BSON field '{Name}.{name}' is missing but a required field");

    /// <summary>Runs reads: in the transaction of the command, or in one of their own.</summary>
    public T Read<T>(Func<StoreTransaction, T> read)
    {
        if (Transaction is { } transaction)
            return read(transaction);
        using var own = new StoreTransaction(Store, isMultiDocument: false);
        return read(own);
    }

    /// <summary>Runs writes: in the transaction of the command, or alone, one after the other, committed at the end.</summary>
    public async Task<T> Write<T>(Func<StoreTransaction, T> write)
    {
        if (Transaction is { } transaction)
            return write(transaction);
        while (true)
        {
            try
            {
                Operation.Current = operation; // another thread may go on
                lock (Store.WriteLock)
                {
                    Operation.Check();
                    using var own = new StoreTransaction(Store, isMultiDocument: false);
                    T result = write(own);
                    own.Commit();
                    return result;
                }
            }
            catch (OwnedByTransactionException owned)
            {
                await owned.Ended.WaitAsync(operation.Token).ConfigureAwait(false);
            }
            finally
            {
                Operation.Current = null;
            }
        }
    }

    /// <summary>
    /// The candidates of a filter that match it, in the order of <paramref name="sort"/>: that of an index, where one has it, else of the
    /// <paramref name="first"/> ones that come first; 0: of all.
    /// </summary>
    public IEnumerable<BsonDocument> Find(CollectionDefinition? collection, BsonDocument filter, StoreTransaction transaction,
        SortPattern? sort = null, long first = 0)
    {
        var matcher = Matcher.Parse(filter);
        if (collection is null)
            return [];
        var planner = new Planner(Store);
        if (planner.ChooseForAlternatives(collection, filter, sort) is { } merged)
            return merged(transaction);
        Plan plan = planner.Choose(collection, matcher, sort);
        IEnumerable<BsonDocument> found = plan.Candidates(transaction).Where(matcher.Matches);
        return sort is null || plan.IsSorted ? found : sort.First(found, first);
    }
}
