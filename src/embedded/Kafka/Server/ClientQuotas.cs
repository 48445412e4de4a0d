using System.Text.Json;
using KafkaEventSourcing.Embedded.Kafka.Log;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>Who a quota is for: a user, a client id, both, or an address; a null name stands for all that have none of their own.</summary>
internal sealed record QuotaEntity(IReadOnlyDictionary<string, string?> Parts)
{
    public bool Equals(QuotaEntity? other) => other is not null && Parts.Count == other.Parts.Count && Parts.All(p => other.Parts.TryGetValue(p.Key, out string? name) && name == p.Value);

    public override int GetHashCode() => Parts.Aggregate(0, (hash, part) => hash ^ HashCode.Combine(part.Key, part.Value));
}

/// <summary>The quotas of clients: kept in one file that is replaced as a whole, and told; they throttle nobody. Thread-safe.</summary>
internal sealed class ClientQuotas
{
    private readonly Lock _lock = new();
    private readonly string _path;
    private Dictionary<QuotaEntity, SortedDictionary<string, double>> _quotas = [];

    public ClientQuotas(string directory)
    {
        _path = Path.Combine(directory, "client-quotas.json");
        foreach (Stored stored in File.Exists(_path) ? JsonSerializer.Deserialize<List<Stored>>(File.ReadAllBytes(_path)) ?? [] : [])
            _quotas[new QuotaEntity(stored.Entity)] = new SortedDictionary<string, double>(stored.Values, StringComparer.Ordinal);
    }

    public IReadOnlyList<(QuotaEntity Entity, IReadOnlyDictionary<string, double> Values)> All
    {
        get
        {
            lock (_lock)
                return [.. _quotas.Select(q => (q.Key, (IReadOnlyDictionary<string, double>)new Dictionary<string, double>(q.Value)))];
        }
    }

    /// <summary>Sets quotas, or removes those whose value is null.</summary>
    public void Change(QuotaEntity entity, IReadOnlyDictionary<string, double?> changes)
    {
        lock (_lock)
        {
            var values = new SortedDictionary<string, double>(_quotas.GetValueOrDefault(entity) ?? [], StringComparer.Ordinal);
            foreach ((string key, double? value) in changes)
            {
                if (value is { } set)
                    values[key] = set;
                else
                    values.Remove(key);
            }

            var quotas = new Dictionary<QuotaEntity, SortedDictionary<string, double>>(_quotas) { [entity] = values };
            if (values.Count == 0)
                quotas.Remove(entity);
            DurableFile.Replace(_path, JsonSerializer.SerializeToUtf8Bytes(quotas.Select(q => new Stored(new(q.Key.Parts), new(q.Value)))));
            _quotas = quotas;
        }
    }

    private sealed record Stored(Dictionary<string, string?> Entity, Dictionary<string, double> Values);
}
