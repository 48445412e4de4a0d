using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>The writes of one batch to one collection.</summary>
internal interface IDocumentWrite
{
    /// <summary>
    /// Applies the writes in the transaction of <paramref name="session"/>; can be called again when the transaction is tried again.
    /// </summary>
    /// <exception cref="DocumentWriteException">The server refused a statement.</exception>
    /// <exception cref="DocumentsChangedException">A document is not the one that was folded on.</exception>
    Task Apply(IMongoDatabase database, IClientSessionHandle session, CancellationToken cancellationToken);

    /// <summary>How long the encoded statements are.</summary>
    long Bytes { get; }

    /// <summary>The read model's name.</summary>
    string Projection { get; }

    /// <summary>Whether documents are inserted because their fold found none stored.</summary>
    bool TrustsNew { get; }

    /// <summary>Whether one of the documents that the fold believed new was written by another engine, and not by somebody else.</summary>
    Task<bool> IsOfAnotherWriter(IMongoDatabase database, CancellationToken cancellationToken);

    /// <summary>The same writes for documents of which nobody knows whether they are stored.</summary>
    IDocumentWrite AsUpserts();
}

/// <summary>
/// The writes of <typeparamref name="TDocument"/>, encoded once into the commands <c>insert</c>, <c>update</c> and <c>delete</c>: the
/// driver sends the bytes as they are, instead of making several objects of each document.
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
    private static readonly byte[] Version = BsonBuffer.NameOf(DocumentVersion.Field);

    private readonly DocumentChanges<TDocument> _changes;
    private readonly List<(BsonDocument Command, int Statements)> _commands = [];
    private readonly bool _folds;

    private DocumentWrite(DocumentChanges<TDocument> changes, bool trustsNew)
    {
        _changes = changes;
        _folds = changes.Projection.Kind == ProjectionKind.Folds;
        TrustsNew = trustsNew && _folds;
        var mapping = CollectionMapping<TDocument>.Instance;
        using var buffer = new BsonBuffer();
        ProjectionKind kind = changes.Projection.Kind;
        AddCommands("insert", "documents", buffer, IsInsert, (i, key, document) => WriteDocument(buffer, mapping, key, document!));
        AddCommands("delete", "deletes", buffer, i => changes.Documents[i].Value is null && !changes.IsNew(i), (i, key, _) =>
        {
            WriteFilter(buffer, i, key);
            buffer.Int32(Limit, 1);
        });
        AddCommands("update", "updates", buffer, i => changes.Documents[i].Value is not null && !IsInsert(i), (i, key, document) =>
        {
            WriteFilter(buffer, i, key);
            int update = buffer.StartDocument(Update);
            if (kind == ProjectionKind.Sums)
                buffer.Raw(mapping.Adding(mapping.Checked(key, document!)).ToBson().AsSpan()[sizeof(int)..^1]);
            else
                WriteDocument(buffer, mapping, key, document!);
            buffer.EndDocument(update);
            if (!_folds || changes.IsNew(i))
                buffer.Boolean(Upsert, true);
        });
    }

    public static DocumentWrite<TDocument> Of(DocumentChanges<TDocument> changes) => new(changes, trustsNew: true);

    public string Projection => _changes.Projection.Name;

    public bool TrustsNew { get; }

    public long Bytes { get; private set; }

    public IDocumentWrite AsUpserts() => new DocumentWrite<TDocument>(_changes, trustsNew: false);

    public async Task<bool> IsOfAnotherWriter(IMongoDatabase database, CancellationToken cancellationToken)
    {
        BsonArray inserted = [.. Enumerable.Range(0, _changes.Documents.Count).Where(IsInsert).Select(i =>
            (BsonValue)_changes.Documents[i].Key)];
        var filter = new BsonDocument
        {
            { "_id", new BsonDocument("$in", inserted) },
            { DocumentVersion.Field, new BsonDocument("$exists", true) },
        };
        return await database.GetCollection<BsonDocument>(_changes.Projection.Name).Find(filter).Limit(1)
            .AnyAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task Apply(IMongoDatabase database, IClientSessionHandle session, CancellationToken cancellationToken)
    {
        foreach ((BsonDocument command, int statements) in _commands)
        {
            BsonDocument reply = await database.RunCommandAsync<BsonDocument>(session, command, readPreference: null,
                cancellationToken).ConfigureAwait(false);
            if (reply.TryGetValue("writeErrors", out BsonValue errors))
                throw new DocumentWriteException(_changes.Projection.Name, errors[0].AsBsonDocument);
            if (_folds && reply["n"].ToInt64() != statements)
                throw new DocumentsChangedException(_changes.Projection.Name);
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
                _commands.Add((new BsonDocument
                {
                    { command, _changes.Projection.Name },
                    { "ordered", false },
                    { field, buffer.ToArray(array) },
                }, statements));
        }
    }

    private void WriteDocument(BsonBuffer buffer, CollectionMapping<TDocument> mapping, string key, TDocument document)
    {
        mapping.Encoder.WriteFields(mapping.Checked(key, document), buffer);
        if (_folds)
            buffer.Int64(Version, _changes.Version);
    }

    // A document without a version, which one of an earlier release has, or somebody else's, equals null.
    private void WriteFilter(BsonBuffer buffer, int index, string key)
    {
        int filter = buffer.StartDocument(Filter);
        buffer.String(Id, key);
        if (_folds && _changes.VersionBefore(index) is { } version)
            buffer.Int64(Version, version);
        else if (_folds)
            buffer.Null(Version);
        buffer.EndDocument(filter);
    }
}
