using System.Collections.Immutable;
using System.Text.Json;
using KafkaEventSourcing.Embedded.Kafka.Log;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>What was set of things that have names, kept in one file that is replaced as a whole. Thread-safe.</summary>
internal sealed class ConfigStore
{
    private static readonly ImmutableDictionary<string, string> None = ImmutableDictionary<string, string>.Empty;

    private readonly Lock _lock = new();
    private readonly string _path;
    private ImmutableSortedDictionary<string, ImmutableDictionary<string, string>> _all =
        ImmutableSortedDictionary.Create<string, ImmutableDictionary<string, string>>(StringComparer.Ordinal);

    public ConfigStore(string path)
    {
        _path = path;
        foreach ((string name, Dictionary<string, string> values) in File.Exists(path)
            ? JsonSerializer.Deserialize<Dictionary<string, Dictionary<string, string>>>(File.ReadAllBytes(path)) ?? []
            : [])
            _all = _all.Add(name, values.ToImmutableDictionary());
    }

    /// <summary>Those of which something was set.</summary>
    public IEnumerable<string> Names => Volatile.Read(ref _all).Keys;

    /// <summary>What was set, without defaults.</summary>
    public IReadOnlyDictionary<string, string> ValuesOf(string name) => Volatile.Read(ref _all).GetValueOrDefault(name) ?? None;

    /// <summary>Puts <paramref name="values"/> in the place of all that was set.</summary>
    public void Put(string name, IReadOnlyDictionary<string, string> values)
    {
        lock (_lock)
        {
            ImmutableSortedDictionary<string, ImmutableDictionary<string, string>> all = values.Count == 0
                ? _all.Remove(name)
                : _all.SetItem(name, values.ToImmutableDictionary());
            DurableFile.Replace(_path, JsonSerializer.SerializeToUtf8Bytes(all));
            Volatile.Write(ref _all, all);
        }
    }
}
