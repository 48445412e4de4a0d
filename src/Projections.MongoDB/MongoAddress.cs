using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>MongoDB connection strings from people.</summary>
public static class MongoAddress
{
    /// <summary>Reads a connection string.</summary>
    /// <exception cref="InvalidInputException">It is not one; the message says what is wrong without repeating a password.</exception>
    public static MongoClientSettings Parse(string connectionString)
    {
        if (string.IsNullOrWhiteSpace(connectionString))
            throw new InvalidInputException("mongodb",
                "The MongoDB connection string is empty; it must be one such as mongodb://host:27017/?replicaSet=rs0.");
        try
        {
            return MongoClientSettings.FromConnectionString(connectionString);
        }
        catch (Exception malformed) when (malformed is MongoConfigurationException or FormatException or ArgumentException)
        {
            throw new InvalidInputException("MongoDB",
                $"MongoDB: '{Redact(connectionString)}' is not a MongoDB connection string such as "
                    + $"mongodb://host:27017/?replicaSet=rs0: "
                    + malformed.Message.Replace(connectionString, Redact(connectionString), StringComparison.Ordinal));
        }
    }

    /// <summary>The connection string with its password hidden.</summary>
    public static string Redact(string connectionString)
    {
        int scheme = connectionString.IndexOf("://", StringComparison.Ordinal);
        int at = connectionString.LastIndexOf('@');
        if (scheme < 0 || at < scheme)
            return connectionString;
        int colon = connectionString.IndexOf(':', scheme + 3, at - scheme - 3);
        return colon < 0 ? connectionString : string.Concat(connectionString.AsSpan(0, colon + 1), "***", connectionString.AsSpan(at));
    }
}
