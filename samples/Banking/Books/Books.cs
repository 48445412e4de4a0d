using Banking.Domain;
using KafkaEventSourcing.Hosting;
using MongoDB.Bson;
using MongoDB.Driver;

namespace Banking.Books;

/// <summary>The bank's books in minor units, as one source has them.</summary>
internal sealed record Books(string Source, long Accounts, long Movements, long SumOfBalances)
{
    /// <summary>Computes the books three ways: from the events, from the state stores, from MongoDB.</summary>
    public static async Task<IReadOnlyList<Books>> ComputeThreeWays(EventSourcedNode node, CancellationToken cancellationToken)
    {
        AggregateNode accounts = node.AggregateOf(Account.Definition);
        return
        [
            await FromEvents(accounts, cancellationToken).ConfigureAwait(false),
            await FromStateStores(node, cancellationToken).ConfigureAwait(false),
            await FromMongoDB(node, cancellationToken).ConfigureAwait(false),
        ];
    }

    /// <summary>Whether all sources give the same figures.</summary>
    public static bool Balance(IReadOnlyList<Books> books) => books.All(b => b with { Source = "" } == books[0] with { Source = "" });

    private static async Task<Books> FromEvents(AggregateNode node, CancellationToken cancellationToken)
    {
        long accounts = 0;
        long movements = 0;
        long sum = 0;
        foreach (int partition in (await node.History.EndOffsetsAsync(cancellationToken).ConfigureAwait(false)).Keys)
        {
            await foreach (RecordedEvent recorded in node.History.ReadPartitionAsync(partition, 0, cancellationToken).ConfigureAwait(false))
            {
                switch (recorded.Payload)
                {
                    case AccountOpened:
                        accounts++;
                        break;
                    case AccountCredited credited:
                        movements++;
                        sum = checked(sum + credited.Amount);
                        break;
                    case AccountDebited debited:
                        movements++;
                        sum = checked(sum - debited.Amount);
                        break;
                }
            }
        }

        return new Books("events", accounts, movements, sum);
    }

    private static async Task<Books> FromStateStores(EventSourcedNode node, CancellationToken cancellationToken)
    {
        long accounts = 0;
        long movements = 0;
        long sum = 0;
        await foreach (AggregateView<AccountState> view in node.ReadAllAsync(Account.Definition, cancellationToken).ConfigureAwait(false))
        {
            accounts++;
            movements += view.State.Credits + view.State.Debits;
            sum = checked(sum + view.State.Balance);
        }

        return new Books("state stores", accounts, movements, sum);
    }

    private static async Task<Books> FromMongoDB(EventSourcedNode node, CancellationToken cancellationToken)
    {
        BsonDocument? totals = await node.ReadModels.GetCollection<BsonDocument>("accounts").Aggregate()
            .Group(new BsonDocument
            {
                { "_id", BsonNull.Value },
                { "accounts", new BsonDocument("$sum", 1L) },
                { "movements", new BsonDocument("$sum", new BsonDocument("$add", new BsonArray { "$credits", "$debits" })) },
                { "sum", new BsonDocument("$sum", "$balance") },
            })
            .FirstOrDefaultAsync(cancellationToken).ConfigureAwait(false);
        return totals is null
            ? new Books("MongoDB", 0, 0, 0)
            : new Books("MongoDB", totals["accounts"].ToInt64(), totals["movements"].ToInt64(), totals["sum"].ToInt64());
    }
}
