using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>The writes of one batch to one collection.</summary>
internal interface IDocumentWrite
{
    /// <summary>Applies the writes in the transaction of <paramref name="session"/>; can be called again when the transaction is tried again.</summary>
    /// <exception cref="DocumentWriteException">The server refused a statement.</exception>
    Task Apply(IMongoDatabase database, IClientSessionHandle session, CancellationToken cancellationToken);

    /// <summary>How long the encoded statements are.</summary>
    long Bytes { get; }

    /// <summary>Whether documents are inserted because their fold found none stored.</summary>
    bool TrustsNew { get; }

    /// <summary>The same writes for documents of which nobody knows whether they are stored.</summary>
    IDocumentWrite AsUpserts();
}

/// <summary>
/// The writes of <typeparamref name="TDocument"/>, encoded once into the commands <c>insert</c>, <c>update</c> and <c>delete</c>: the driver sends the bytes as they
/// are, instead of making several objects of each document.
/// </summary>
internal sealed class DocumentWrite<TDocument> : IDocumentWrite
    where TDocument : class
{
    // Half of the 16 MB and the 100,000 statements that a command may have.
    private const int MaxCommandBytes = 8 * 1024 * 1024;
    private const int MaxStatements = 50_000;

    private static readonly byte[] Id = BsonBuffer.NameOf("_id");
    private static readonly byte[] Filter = BsonBuffer.NameOf("q");
    private static readonly byte[] Update = BsonBuffer.NameOf("u");
    private static readonly byte[] Upsert = BsonBuffer.NameOf("upsert");
    private static readonly byte[] Limit = BsonBuffer.NameOf("limit");

    private readonly DocumentChanges<TDocument> _changes;
    private readonly List<BsonDocument> _commands = [];

    private DocumentWrite(DocumentChanges<TDocument> changes, bool trustsNew)
    {
        _changes = changes;
        TrustsNew = trustsNew && changes.Projection.Kind == ProjectionKind.Folds;
        var mapping = CollectionMapping<TDocument>.Instance;
        using var buffer = new BsonBuffer();
        ProjectionKind kind = changes.Projection.Kind;
        AddCommands("insert", "documents", buffer, IsInsert, (i, key, document) => mapping.Encoder.WriteFields(mapping.Checked(key, document!), buffer));
        AddCommands("delete", "deletes", buffer, i => changes.Documents[i].Value is null, (i, key, _) =>
        {
            WriteFilter(buffer, key);
            buffer.Int32(Limit, 1);
        });
        AddCommands("update", "updates", buffer, i => changes.Documents[i].Value is not null && !IsInsert(i), (i, key, document) =>
        {
            WriteFilter(buffer, key);
            int update = buffer.StartDocument(Update);
            if (kind == ProjectionKind.Sums)
                buffer.Raw(mapping.Adding(mapping.Checked(key, document!)).ToBson().AsSpan()[sizeof(int)..^1]);
            else
                mapping.Encoder.WriteFields(mapping.Checked(key, document!), buffer);
            buffer.EndDocument(update);
            buffer.Boolean(Upsert, true);
        });
    }

    public static DocumentWrite<TDocument> Of(DocumentChanges<TDocument> changes) => new(changes, trustsNew: true);

    public bool TrustsNew { get; }

    public long Bytes { get; private set; }

    public IDocumentWrite AsUpserts() => new DocumentWrite<TDocument>(_changes, trustsNew: false);

    public async Task Apply(IMongoDatabase database, IClientSessionHandle session, CancellationToken cancellationToken)
    {
        foreach (BsonDocument command in _commands)
        {
            BsonDocument reply = await database.RunCommandAsync<BsonDocument>(session, command, readPreference: null, cancellationToken).ConfigureAwait(false);
            if (reply.TryGetValue("writeErrors", out BsonValue errors))
                throw new DocumentWriteException(_changes.Projection.Name, errors[0].AsBsonDocument);
        }
    }

    private bool IsInsert(int index) => _changes.Projection.Kind switch
    {
        ProjectionKind.Inserts => true,
        ProjectionKind.Folds => TrustsNew && _changes.IsNew(index) && _changes.Documents[index].Value is not null,
        _ => false,
    };

    private void AddCommands(string command, string field, BsonBuffer buffer, Func<int, bool> isPart, Action<int, string, TDocument?> write)
    {
        for (int at = 0; at < _changes.Documents.Count;)
        {
            buffer.Clear();
            int array = buffer.StartDocument();
            int statements = 0;
            for (; at < _changes.Documents.Count && statements < MaxStatements && buffer.Length < MaxCommandBytes; at++)
            {
                if (!isPart(at))
                    continue;
                int statement = buffer.StartItem(statements++);
                write(at, _changes.Documents[at].Key, _changes.Documents[at].Value);
                buffer.EndDocument(statement);
            }

            buffer.EndDocument(array);
            Bytes += buffer.Length;
            if (statements > 0)
                _commands.Add(new BsonDocument { { command, _changes.Projection.Name }, { "ordered", false }, { field, buffer.ToArray(array) } });
        }
    }

    private static void WriteFilter(BsonBuffer buffer, string key)
    {
        int filter = buffer.StartDocument(Filter);
        buffer.String(Id, key);
        buffer.EndDocument(filter);
    }
}
