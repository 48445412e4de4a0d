using System.Globalization;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>
/// Subscriptions to the metrics of clients (KIP-714): kept and told. Like a Kafka broker without a plug-in that receives telemetry, this
/// one asks no client for metrics, so that they have no effect. Thread-safe.
/// </summary>
internal sealed class ClientMetricsConfigs(string directory)
{
    private const string Interval = "interval.ms";
    private const string Match = "match";
    private const int MinInterval = 100;
    private const int MaxInterval = 3_600_000;

    private static readonly string[] Selectors = ["client_instance_id", "client_id", "client_software_name", "client_software_version",
        "client_source_address", "client_source_port"];

    private readonly ConfigStore _store = new(Path.Combine(directory, "client-metrics.json"));

    public static IReadOnlyList<ConfigDefinition> All { get; } = [new("metrics", ConfigType.List, ""),
        new(Interval, ConfigType.Int, "300000"), new(Match, ConfigType.List, "")];

    /// <summary>The subscriptions.</summary>
    public IEnumerable<string> Names => _store.Names;

    /// <summary>What was set of a subscription, without defaults.</summary>
    public IReadOnlyDictionary<string, string> ValuesOf(string subscription) => _store.ValuesOf(subscription);

    /// <summary>
    /// Puts <paramref name="values"/> in the place of all that was set of a subscription; why it cannot, in Kafka's words, or null.
    /// </summary>
    public Refusal? Change(string subscription, IReadOnlyDictionary<string, string> values, bool validateOnly)
    {
        Refusal? refusal = Check(values);
        if (refusal is null && !validateOnly)
            _store.Put(subscription, values);
        return refusal;
    }

    private static Refusal? Check(IReadOnlyDictionary<string, string> values)
    {
        if (values.Keys.FirstOrDefault(k => All.All(d => d.Name != k)) is { } unknown)
            return new Refusal(ErrorCode.InvalidRequest, $"Unknown client metrics configuration: {unknown}");
        if (All.Where(d => values.ContainsKey(d.Name)).Select(d => d.Check(values[d.Name])).FirstOrDefault(w => w is not null) is { } wrong)
            return new Refusal(ErrorCode.InvalidConfig, wrong);
        if (values.TryGetValue(Interval, out string? interval)
            && int.Parse(interval, CultureInfo.InvariantCulture) is < MinInterval or > MaxInterval)
            return new Refusal(ErrorCode.InvalidRequest,
                $"Invalid value {interval.Trim()} for {Interval}, interval must be between {MinInterval} and {MaxInterval} (1 hour)");
        foreach (string pattern in ConfigDefinition.Items(values.GetValueOrDefault(Match) ?? ""))
        {
            if (!IsPattern(pattern))
                return new Refusal(ErrorCode.InvalidConfig, $"Illegal client matching pattern: {pattern}");
        }

        return null;
    }

    private static bool IsPattern(string pattern)
    {
        if (pattern.Split('=', StringSplitOptions.TrimEntries) is not [string selector, { Length: > 0 } expression]
            || !Selectors.Contains(selector))
            return false;
        try
        {
            _ = new Regex(expression);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
