using System.Globalization;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>
/// What the options of a node must be. Each failure names the property at the beginning of its message, so that whoever shows it can write
/// the name that its reader knows (<see cref="OptionNames"/>).
/// </summary>
internal static class OptionRules
{
    private const int MaxPartitions = 10_000;
    private const int MaxStandbys = 100;
    private const int MaxNodeIdLength = 128;
    private static readonly TimeSpan LongestTime = TimeSpan.FromDays(1);
    private static readonly TimeSpan LongestSession = TimeSpan.FromHours(1); // librdkafka takes no longer one

    /// <summary>What is wrong with <paramref name="options"/>, in the order of the properties; none: nothing.</summary>
    /// <param name="options">The options.</param>
    /// <param name="application">Whose they are; null: of any, whose subscriptions are not known.</param>
    public static IEnumerable<InvalidInputException> Failures(
        KafkaEventSourcingOptions options, ApplicationDefinition? application = null) =>
    [
        .. Values(options), .. TooLong("", options), .. TooLong($"{nameof(options.Processing)}:", options.Processing),
        .. TooLong($"{nameof(options.ReadModels)}:", options.ReadModels),
        .. Thrown(options.Addresses.Validate), .. Thrown(() => _ = options.Secret),
        .. Thrown(() => Within(nameof(options.Processing), options.Processing.Validate)),
        .. Thrown(() => Within(nameof(options.StateStores), options.StateStores.Validate)),
        .. Thrown(() => Within(nameof(options.ReadModels), options.ReadModels.Validate)),
        .. Thrown(() => Within(nameof(options.Archive), options.Archive.Validate)),
        .. Thrown(() => Within(nameof(options.PersonalData), () => options.PersonalData.Load())),
        .. StreamSnapshots(options, application),
        .. application is null ? [] : Thrown(() => SubscriptionOverrides.Check(application, options)),
    ];

    /// <summary>Runs <paramref name="check"/> of a section within the options, and names what is wrong by it.</summary>
    public static void Within(string section, Action check)
    {
        try
        {
            check();
        }
        catch (InvalidInputException wrong)
        {
            throw new InvalidInputException($"{section}:{wrong.Field}", wrong.Message.StartsWith(wrong.Field, StringComparison.Ordinal)
                ? $"{section}:{wrong.Message}"
                : $"{section}:{wrong.Field}: {wrong.Message}", wrong);
        }
    }

    /// <summary>What is missing of the addresses that an application needs.</summary>
    /// <param name="addresses">Those that are named.</param>
    /// <param name="mongoDB">Whether it needs MongoDB.</param>
    public static InvalidInputException? Missing(ServerAddresses addresses, bool mongoDB)
    {
        string? missing = addresses.Kafka is null ? nameof(KafkaEventSourcingOptions.Kafka)
            : addresses.Registry is null ? nameof(KafkaEventSourcingOptions.SchemaRegistry)
            : addresses.MongoDB is null && mongoDB ? nameof(KafkaEventSourcingOptions.MongoDB)
            : null;
        return missing is null
            ? null
            : new InvalidInputException(missing,
                $"{missing} is missing. This application has no embedded servers: name Kafka, the Schema "
                    + $"Registry{(mongoDB ? ", and MongoDB for its read models" : "")}.");
    }

    private static IEnumerable<InvalidInputException> Values(KafkaEventSourcingOptions options)
    {
        if (options.DataDirectory is { } data)
        {
            if (string.IsNullOrWhiteSpace(data))
                yield return Wrong(nameof(options.DataDirectory),
                    $"is empty; it must be the name of a folder, which is created when it is missing.");
            else if (data.Contains('\0', StringComparison.Ordinal))
                yield return Wrong(nameof(options.DataDirectory), $"has a character that names of folders cannot have.");
        }

        if (options.Partitions is < 1 or > MaxPartitions)
            yield return Wrong(nameof(options.Partitions), $"is {options.Partitions}; it must be from 1 to {MaxPartitions:N0}.");
        if (options.ReplicationFactor is not -1 and < 1)
            yield return Wrong(nameof(options.ReplicationFactor),
                $"is {options.ReplicationFactor}; it must be at least 1, or be left out.");
        if (options.CommandTimeout <= TimeSpan.Zero)
            yield return NotPositive(nameof(options.CommandTimeout), options.CommandTimeout);
        if (options.BarrierEvents < 1)
            yield return NotPositive(nameof(options.BarrierEvents), options.BarrierEvents);
        if (options.StartTimeout <= TimeSpan.Zero)
            yield return NotPositive(nameof(options.StartTimeout), options.StartTimeout);
        if (options.NodeId is { } id
            && (id.Length is 0 or > MaxNodeIdLength || !id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_')))
            yield return Wrong(nameof(options.NodeId),
                $"is '{id}'; it must have 1 to {MaxNodeIdLength} letters, digits, dots, hyphens and underscores.");
        if (options.SessionTimeout < TimeSpan.FromSeconds(1)
            || (options.SessionTimeout > LongestSession && options.SessionTimeout <= LongestTime))
            yield return Wrong(nameof(options.SessionTimeout),
                $"is {options.SessionTimeout.TotalSeconds:0.#} s; it must be from 1 to 3,600, and what the brokers allow.");
        if (options.MaxWaitingBytes is < 1)
            yield return NotPositive(nameof(options.MaxWaitingBytes), options.MaxWaitingBytes);
        if (options.Standbys is < 0 or > MaxStandbys)
            yield return Wrong(nameof(options.Standbys), $"is {options.Standbys}; it must be from 0 to {MaxStandbys}.");
        if (options.ReadTimeout <= TimeSpan.Zero)
            yield return NotPositive(nameof(options.ReadTimeout), options.ReadTimeout);
        if (options.BrokerSilence < TimeSpan.FromSeconds(1))
            yield return Wrong(nameof(options.BrokerSilence), $"is {options.BrokerSilence}; it must be at least 1 s.");
        if (options.Advertise is { } address
            && (!address.IsAbsoluteUri || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps)))
            yield return Wrong(nameof(options.Advertise), $"is '{address}'; it must be an address such as http://node-1:8080.");
        if (options.Drain < TimeSpan.Zero)
            yield return Wrong(nameof(options.Drain), $"is {options.Drain}; it must not be negative.");
        if (options.MaxBodyBytes < 1)
            yield return NotPositive(nameof(options.MaxBodyBytes), options.MaxBodyBytes);
        if (options.MaxBodyBytesInFlight < 1)
            yield return NotPositive(nameof(options.MaxBodyBytesInFlight), options.MaxBodyBytesInFlight);
        if (options.TokenTimeout <= TimeSpan.Zero)
            yield return NotPositive(nameof(options.TokenTimeout), options.TokenTimeout);
    }

    private static IEnumerable<InvalidInputException> StreamSnapshots(KafkaEventSourcingOptions options, ApplicationDefinition? application)
    {
        foreach ((string aggregate, string topic) in options.StreamSnapshots)
        {
            string property = $"{nameof(options.StreamSnapshots)}:{aggregate}";
            if (application is not null && application.Aggregates.All(a => a.Name != aggregate))
                yield return Wrong(property, $"names no aggregate type; there are {
                    string.Join(", ", application.Aggregates.Select(a => a.Name).Order(StringComparer.Ordinal))}.");
            else if (string.IsNullOrWhiteSpace(topic))
                yield return Wrong(property, $"is empty; it must be the name of the topic of the snapshots.");
        }
    }

    // A number alone is one of days: whoever means seconds waits for a month, or for longer than a timer can.
    private static IEnumerable<InvalidInputException> TooLong(string section, object options) =>
        options.GetType().GetProperties().Where(p => p.PropertyType == typeof(TimeSpan)).Select(p =>
            (p.Name, Value: (TimeSpan)p.GetValue(options)!)).Where(t => t.Value > LongestTime).Select(t =>
                Wrong($"{section}{t.Name}", $"is {t.Value}; it must be at most a day. A number alone is one of days: 30 s are 00:00:30."));

    private static IEnumerable<InvalidInputException> Thrown(Action check)
    {
        try
        {
            check();
            return [];
        }
        catch (InvalidInputException wrong)
        {
            return [wrong];
        }
    }

    private static InvalidInputException NotPositive(string property, object value) => Wrong(property, $"is {value}; it must be positive.");

    private static InvalidInputException Wrong(string property, FormattableString what) =>
        new(property, $"{property} {what.ToString(CultureInfo.InvariantCulture)}");
}
