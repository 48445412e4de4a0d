using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// The replica set of a connection string against those of its servers. The driver drops a server of another set without a word and then
/// finds none, until its time-outs are over.
/// </summary>
internal static class MongoReplicaSet
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>
    /// Fails when a server answers and is of another set than <paramref name="settings"/> name; servers that do not answer say nothing.
    /// </summary>
    /// <exception cref="InvalidInputException">It is; the message has both names.</exception>
    public static async Task Check(MongoClientSettings settings, CancellationToken cancellationToken)
    {
        if (settings.ReplicaSetName is not { Length: > 0 } named
            || settings.Scheme != global::MongoDB.Driver.Core.Configuration.ConnectionStringScheme.MongoDB)
            return;
        foreach (MongoServerAddress server in settings.Servers)
        {
            if (await NameAt(server, settings, cancellationToken).ConfigureAwait(false) is { } actual && actual != named)
            {
                throw new InvalidInputException("MongoDB", actual.Length == 0
                    ? $"MongoDB names the replica set '{named}', and the server at {server} is of none: start it with --replSet {named}, "
                        + $"or leave replicaSet out."
                    : $"MongoDB names the replica set '{named}', and the server at {server} is of '{actual}': name that one with "
                        + $"replicaSet={actual}.");
            }
        }
    }

    // Null: it does not answer; empty: it is of no set. Any member answers before it is asked for a password.
    private static async Task<string?> NameAt(MongoServerAddress server, MongoClientSettings settings, CancellationToken cancellationToken)
    {
        MongoClientSettings direct = settings.Clone();
        direct.Server = server;
        direct.ReplicaSetName = null;
        direct.DirectConnection = true;
        direct.Credential = null;
        direct.ServerSelectionTimeout = Patience;
        direct.ConnectTimeout = Patience;
        using var client = new MongoClient(direct);
        try
        {
            BsonDocument hello = await client.GetDatabase("admin").RunCommandAsync<BsonDocument>(new BsonDocument("hello", 1),
                ReadPreference.Nearest, cancellationToken).ConfigureAwait(false);
            return hello.GetValue("setName", "").AsString;
        }
        catch (Exception away) when (away is MongoException or TimeoutException)
        {
            return null;
        }
    }
}
