using System.Globalization;
using System.Text.Json;
using KafkaEventSourcing.Hosting;
using MongoDB.Bson;
using MongoDB.Driver;

namespace Banking.Ledger;

/// <summary>
/// Figures that somebody else computed from a ledger, in JSON: <c>rows</c>, <c>accounts</c>, <c>sumOfFinalBalances</c>; <c>totals</c> by
/// <c>category:…</c>, <c>direction:…</c> and <c>operation:…</c>, each with <c>count</c> and <c>amount</c>; <c>sampleAccounts</c>, each with
/// <c>movements</c> and <c>balance</c>. They are compared with the read models, and with the topics of the streams, to the cent.
/// </summary>
internal sealed class ExpectedFigures
{
    private readonly SortedDictionary<string, string> _expected = new(StringComparer.Ordinal);
    private readonly List<string> _accounts = [];

    private ExpectedFigures()
    {
    }

    /// <summary>How many figures there are.</summary>
    public int Count => _expected.Count;

    /// <summary>Reads a file of figures.</summary>
    /// <exception cref="InvalidInputException">There is no such file, or it is not of that form.</exception>
    public static ExpectedFigures Load(FileInfo file)
    {
        if (!file.Exists)
            throw new InvalidInputException("--expected", $"There is no file '{file.FullName}'.");
        var figures = new ExpectedFigures();
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(file.FullName));
            figures.Read(json.RootElement);
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException or FormatException)
        {
            throw new InvalidInputException("--expected", $"'{file.FullName}' is not a file of figures: {malformed.Message}", malformed);
        }

        return figures.Count > 0 ? figures : throw new InvalidInputException("--expected", $"'{file.FullName}' has no figures.");
    }

    /// <summary>The figures that MongoDB has otherwise, in words.</summary>
    public async Task<IReadOnlyList<string>> DifferencesFromMongoDB(EventSourcedNode node, CancellationToken cancellationToken)
    {
        Dictionary<string, string> actual = await Actual(node, cancellationToken).ConfigureAwait(false);
        return DifferencesFrom("MongoDB has", actual);
    }

    /// <summary>The figures that <paramref name="actual"/> has otherwise, in words.</summary>
    public IReadOnlyList<string> DifferencesFrom(string source, IReadOnlyDictionary<string, string> actual) =>
    [
        .. _expected.Where(e => actual.GetValueOrDefault(e.Key) != e.Value).Select(e =>
            $"{e.Key}: {e.Value} expected, {source} {actual.GetValueOrDefault(e.Key, "nothing")}."),
    ];

    private void Read(JsonElement root)
    {
        foreach (JsonProperty property in root.EnumerateObject())
        {
            switch (property.Name)
            {
                case "rows" or "accounts":
                    _expected.Add(property.Name, Number(property.Value.GetInt64()));
                    break;
                case "sumOfFinalBalances":
                    _expected.Add(property.Name, Amount(property.Value));
                    break;
                case "totals":
                    foreach (JsonProperty total in property.Value.EnumerateObject())
                    {
                        _expected.Add($"{total.Name} count", Number(total.Value.GetProperty("count").GetInt64()));
                        _expected.Add($"{total.Name} amount", Amount(total.Value.GetProperty("amount")));
                    }

                    break;
                case "sampleAccounts":
                    foreach (JsonProperty account in property.Value.EnumerateObject())
                    {
                        _accounts.Add(account.Name);
                        _expected.Add($"account {account.Name} movements", Number(account.Value.GetProperty("movements").GetInt64()));
                        _expected.Add($"account {account.Name} balance", Amount(account.Value.GetProperty("balance")));
                    }

                    break;
                default:
                    throw new FormatException($"'{property.Name}' is not a figure that is known.");
            }
        }
    }

    private async Task<Dictionary<string, string>> Actual(EventSourcedNode node, CancellationToken cancellationToken)
    {
        IMongoCollection<BsonDocument> movements = node.ReadModels.GetCollection<BsonDocument>("movements");
        IMongoCollection<BsonDocument> accounts = node.ReadModels.GetCollection<BsonDocument>("accounts");
        var actual = new Dictionary<string, string>
        {
            ["rows"] = Number(await movements.CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty,
                cancellationToken: cancellationToken).ConfigureAwait(false)),
        };
        foreach (string dimension in (string[])["category", "direction", "operation"])
        {
            foreach (BsonDocument total in await Group(movements, $"${dimension}", "$amount")
                .ToListAsync(cancellationToken).ConfigureAwait(false))
            {
                actual[$"{dimension}:{total["_id"]} count"] = Number(total["count"].ToInt64());
                actual[$"{dimension}:{total["_id"]} amount"] = Amount(total["sum"].ToInt64());
            }
        }

        BsonDocument? all = await Group(accounts, BsonNull.Value, "$balance").FirstOrDefaultAsync(cancellationToken).ConfigureAwait(false);
        actual["accounts"] = Number(all?["count"].ToInt64() ?? 0);
        actual["sumOfFinalBalances"] = Amount(all?["sum"].ToInt64() ?? 0);
        foreach (BsonDocument account in await accounts.Find(Builders<BsonDocument>.Filter.In("_id", _accounts)).ToListAsync(
            cancellationToken).ConfigureAwait(false))
        {
            actual[$"account {account["_id"]} movements"] = Number(account["credits"].ToInt64() + account["debits"].ToInt64());
            actual[$"account {account["_id"]} balance"] = Amount(account["balance"].ToInt64());
        }

        return actual;
    }

    private static IAggregateFluent<BsonDocument> Group(IMongoCollection<BsonDocument> collection, BsonValue by, string summed) =>
        collection.Aggregate()
        .Group(new BsonDocument { { "_id", by }, { "count", new BsonDocument("$sum", 1L) }, { "sum", new BsonDocument("$sum", summed) } });

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Amount(long minorUnits) => Money.Format(minorUnits);

    private static string Amount(JsonElement amount)
    {
        decimal minor = decimal.Parse(amount.GetString()!, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture) * 100;
        return minor == decimal.Truncate(minor)
            ? Amount((long)minor)
            : throw new FormatException($"The amount {amount.GetString()} has more than two decimals.");
    }
}
