using System.Text.Json;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>A topic: how many partitions, and its configs. Its id tells it from a later one of the same name.</summary>
internal sealed record Topic(string Name, Guid Id, int Partitions, LogConfig Config, bool IsInternal)
{
    /// <summary>On how many brokers each partition is said to be; only told, there is one log of it.</summary>
    public int ReplicationFactor { get; init; } = 1;
}

/// <summary>Which topics there are; kept in one file that is replaced as a whole. Thread-safe.</summary>
internal sealed class TopicStore
{
    public const string Offsets = "__consumer_offsets";
    public const string Transactions = "__transaction_state";
    private const int MaxNameLength = 249;

    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly SortedDictionary<string, Topic> _topics = new(StringComparer.Ordinal);
    private readonly Dictionary<Guid, Topic> _byId = [];
    private long _version;

    public TopicStore(string directory, IReadOnlyDictionary<string, string> defaults, TimeProvider time)
    {
        _time = time;
        _path = Path.Combine(directory, "topics.json");
        if (!File.Exists(_path))
            return;
        foreach ((string name, StoredTopic stored) in JsonSerializer.Deserialize<Dictionary<string, StoredTopic>>(File.ReadAllBytes(_path))
            ?? [])
            Set(new Topic(name, stored.Id == Guid.Empty ? NewId() : stored.Id, stored.Partitions, new LogConfig(stored.Configs, defaults),
                IsInternalName(name)) { ReplicationFactor = Math.Max(1, stored.ReplicationFactor) });
        Save(_topics.Values);
    }

    /// <summary>Changes with every topic that comes, goes or grows.</summary>
    public long Version => Interlocked.Read(ref _version);

    public IReadOnlyList<Topic> All
    {
        get
        {
            lock (_lock)
                return [.. _topics.Values];
        }
    }

    public static bool IsInternalName(string name) => name is Offsets or Transactions;

    /// <summary>Why a name cannot be a topic's; null when it can.</summary>
    public static string? CheckName(string name) =>
        name.Length == 0 ? "Topic name is invalid: the empty string is not allowed"
        : name is "." or ".." ? "Topic name is invalid: '.' or '..' is not allowed"
        : name.Length > MaxNameLength
        ? $"Topic name is invalid: the length of '{name}' is longer than the max allowed length {MaxNameLength}"
        : name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-') ? null
        : $"Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'";

    public Topic? Find(string name)
    {
        lock (_lock)
            return _topics.GetValueOrDefault(name);
    }

    public Topic? Find(Guid id)
    {
        lock (_lock)
            return _byId.GetValueOrDefault(id);
    }

    /// <summary>
    /// A topic whose metrics would have the same name as those of <paramref name="name"/>: there, a dot and an underscore are the same.
    /// </summary>
    public Topic? CollidingWith(string name) => name.AsSpan().ContainsAny('.', '_')
        ? All.FirstOrDefault(t => t.Name.Length == name.Length && t.Name != name && t.Name.Replace('.', '_') == name.Replace('.', '_'))
        : null;

    /// <summary>The id of a topic to be.</summary>
    public Guid NewId() => Guid.CreateVersion7(_time.GetUtcNow());

    public void Put(Topic topic)
    {
        lock (_lock)
        {
            Save(_topics.Values.Where(t => t.Name != topic.Name).Append(topic));
            Set(topic);
        }
    }

    /// <summary>Puts other defaults behind the configs of all topics; the topics as they are then.</summary>
    public IReadOnlyList<Topic> ChangeDefaults(IReadOnlyDictionary<string, string> defaults)
    {
        lock (_lock)
        {
            foreach (Topic topic in (Topic[])[.. _topics.Values])
                Set(topic with { Config = new LogConfig(topic.Config.Values, defaults) });
            return [.. _topics.Values];
        }
    }

    public void Remove(IReadOnlyCollection<string> names)
    {
        lock (_lock)
        {
            Save(_topics.Values.Where(t => !names.Contains(t.Name)));
            foreach (string name in names)
            {
                if (_topics.Remove(name, out Topic? removed))
                    _byId.Remove(removed.Id);
            }

            Interlocked.Increment(ref _version);
        }
    }

    private void Set(Topic topic)
    {
        _topics[topic.Name] = topic;
        _byId[topic.Id] = topic;
        Interlocked.Increment(ref _version);
    }

    // Before it is so: what cannot be kept does not happen.
    private void Save(IEnumerable<Topic> topics)
    {
        byte[] content = JsonSerializer.SerializeToUtf8Bytes(topics.OrderBy(t => t.Name, StringComparer.Ordinal).ToDictionary(t => t.Name,
            t => new StoredTopic(t.Id, t.Partitions, t.Config.Values.ToDictionary(), t.ReplicationFactor)));
        DurableFile.Replace(_path, content);
    }

    private sealed record StoredTopic(Guid Id, int Partitions, Dictionary<string, string> Configs, int ReplicationFactor = 1);
}
