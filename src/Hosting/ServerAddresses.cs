using Confluent.SchemaRegistry;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Projections.MongoDB;

namespace KafkaEventSourcing.Hosting;

/// <summary>Where the three servers are, as an operator named them; null where nothing was named.</summary>
public sealed record ServerAddresses
{
    /// <summary>The Kafka brokers, <c>host:port</c> with commas between; null: none was named.</summary>
    public string? Kafka { get; init; }

    /// <summary>Settings passed through to every Kafka client, by librdkafka's names, such as <c>security.protocol</c>.</summary>
    public IReadOnlyDictionary<string, string> KafkaSettings { get; init; } = new Dictionary<string, string>();

    /// <summary>The Schema Registry's URL; null: none was named.</summary>
    public string? Registry { get; init; }

    /// <summary>
    /// Settings passed through to the registry client, by Confluent's names, such as <c>schema.registry.basic.auth.user.info</c>.
    /// </summary>
    public IReadOnlyDictionary<string, string> RegistrySettings { get; init; } = new Dictionary<string, string>();

    /// <summary>The MongoDB connection string; null: none was named.</summary>
    public string? MongoDB { get; init; }

    /// <summary>Whether those are named that an application needs.</summary>
    /// <param name="mongoDB">Whether MongoDB is among them: only where there is a read model.</param>
    public bool AreComplete(bool mongoDB) => Kafka is not null && Registry is not null && (MongoDB is not null || !mongoDB);

    /// <summary>Checks what is named, as far as that needs no server.</summary>
    /// <exception cref="InvalidInputException">An address or a setting is unusable; the message names the property of
    /// <see cref="KafkaEventSourcingOptions"/>.</exception>
    public void Validate()
    {
        if (Kafka is not null || KafkaSettings.Count > 0) // settings without an address are for a server that is started still
            (this with { Kafka = Kafka ?? "localhost:9092" }).KafkaConnection.Validate();
        if (Registry is not null)
            CheckRegistry();
        if (MongoDB is not null)
            _ = MongoAddress.Parse(MongoDB);
    }

    /// <summary>
    /// The settings of the registry's client. A user and a password in the address are sent as basic authentication, and are not part of
    /// the address any more.
    /// </summary>
    public SchemaRegistryConfig RegistryConfig()
    {
        var config = new SchemaRegistryConfig();
        string[] addresses = (Registry ?? "").Split(',', StringSplitOptions.TrimEntries);
        string[] credentials = [.. addresses.Select(a => Uri.TryCreate(a, UriKind.Absolute, out Uri? uri) ? uri.UserInfo : "").Where(u =>
            u.Length > 0).Distinct()];
        if (credentials.Length > 0)
        {
            config.BasicAuthUserInfo = Uri.UnescapeDataString(credentials[0]);
            addresses = [.. addresses.Select(a => new UriBuilder(a) { UserName = "", Password = "" }.Uri.AbsoluteUri)];
        }

        config.Url = string.Join(',', addresses);
        foreach ((string name, string value) in RegistrySettings)
            config.Set(name, value);
        return config;
    }

    private void CheckRegistry()
    {
        foreach (string address in Registry!.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? uri)
                || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps))
                throw new InvalidInputException("SchemaRegistry",
                    $"SchemaRegistry is '{Secrets.Redact(address)}'; it must be an address such as http://localhost:8081.");
        }

        try
        {
            new CachedSchemaRegistryClient(RegistryConfig()).Dispose();
        }
        catch (Exception refused) when (refused is InvalidOperationException or ArgumentException or FormatException)
        {
            throw new InvalidInputException("SchemaRegistrySettings",
                $"SchemaRegistrySettings has a setting that Confluent's registry client does not take: {Secrets.Redact(refused.Message)}",
                refused);
        }
    }

    /// <summary>The connection to Kafka.</summary>
    /// <exception cref="InvalidInputException">No broker was named.</exception>
    public KafkaConnection KafkaConnection => new()
    {
        BootstrapServers = Kafka
            ?? throw new InvalidInputException("--kafka", "No Kafka broker was named: give --kafka host:port, or set KES_KAFKA."),
        Settings = KafkaSettings,
    };
}
