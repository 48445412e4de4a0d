using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// What the topic of subject keys says, in the order of its records: the first key of a subject seals, each opens, and once a subject is
/// erased no later key of it counts. Not thread-safe.
/// </summary>
internal sealed class SubjectKeyTable
{
    private readonly Dictionary<string, Subject> _subjects = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Subject> _byKey = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SubjectKeysRead> _nodes = new(StringComparer.Ordinal);

    /// <summary>The offset behind the last record.</summary>
    public long Next { get; private set; }

    /// <summary>How many times a subject was erased.</summary>
    public long Erasures { get; private set; }

    public IReadOnlyDictionary<string, SubjectKeysRead> Nodes => _nodes;

    public IEnumerable<SubjectKey> Keys => _subjects.Values.Where(s => !s.IsErased).SelectMany(s => s.Keys.Values);

    /// <summary>The ids of keys that are destroyed, or are to be, and are still wrapped in the newest record of theirs.</summary>
    public IEnumerable<(string Subject, byte[] KeyId)> Leftovers =>
        _subjects.Where(s => s.Value.IsErased).SelectMany(s => s.Value.Leftovers.Select(id => (s.Key, Convert.FromHexString(id))));

    public bool IsErased(string subject) => _subjects.TryGetValue(subject, out Subject? known) && known.IsErased;

    public bool Knows(string subject) => _subjects.ContainsKey(subject);

    /// <summary>The key that seals what is personal of <paramref name="subject"/>; null: it has none.</summary>
    public SubjectKey? KeyOf(string subject) =>
        _subjects.TryGetValue(subject, out Subject? known) && known is { IsErased: false, Current: { } key } ? key : null;

    /// <summary>The key of an id; false: it is not known. Null: its subject was erased.</summary>
    public bool TryFind(ReadOnlySpan<byte> keyId, out SubjectKey? key)
    {
        string id = Convert.ToHexStringLower(keyId);
        key = null;
        if (!_byKey.TryGetValue(id, out Subject? subject))
            return false;
        if (!subject.IsErased)
            key = subject.Keys[id];
        return true;
    }

    /// <summary>Takes the next record; true when by it a subject is erased, perhaps once more.</summary>
    /// <exception cref="UndecodableMessageException">It is of somebody else.</exception>
    public bool Take(ConsumeResult<byte[], byte[]> record, AvroMessageSerde serde)
    {
        if (record.Offset.Value < Next)
            return false;
        Next = record.Offset.Value + 1;
        if (record.Message.Value is not { } value)
        {
            if (record.Message.Key is [(byte)'\n', .. var node])
                _nodes.Remove(Encoding.UTF8.GetString(node));
            return false;
        }

        switch (serde.Decode(value))
        {
            case SubjectKeysRead read:
                _nodes[read.Node] = read;
                return false;
            case Avro.Messages.SubjectKey key:
                return Take(key);
            default:
                return false;
        }
    }

    public static byte[] RecordKey(string subject, byte[]? keyId) =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"{subject}\n{(keyId is null ? "" : Convert.ToHexStringLower(keyId))}"));

    public static byte[] NodeKey(string node) => Encoding.UTF8.GetBytes("\n" + node);

    private bool Take(Avro.Messages.SubjectKey key)
    {
        if (!_subjects.TryGetValue(key.Subject, out Subject? subject))
            _subjects.Add(key.Subject, subject = new Subject());
        string? id = key.KeyId is null ? null : Convert.ToHexStringLower(key.KeyId);
        if (id is not null)
        {
            _byKey[id] = subject;
            if (key.Wrapped is null)
                subject.Leftovers.Remove(id);
            else if (subject.IsErased)
                subject.Leftovers.Add(id);
            else if (subject.Keys.TryGetValue(id, out SubjectKey? known))
                known.Rewrap(key.MasterKey, key.Wrapped);
            else
                subject.Add(id, new SubjectKey(key.Subject, key.KeyId!, key.MasterKey, key.Wrapped));
        }

        // A key that is destroyed says it of its subject too: the record that says it may be after it.
        if (key.Wrapped is not null || (subject.IsErased && id is not null))
            return false;
        foreach ((string left, SubjectKey destroyed) in subject.Keys)
        {
            destroyed.Destroy();
            if (left != id)
                subject.Leftovers.Add(left);
        }

        subject.Erase();
        Erasures++;
        return true;
    }

    private sealed class Subject
    {
        public Dictionary<string, SubjectKey> Keys { get; } = new(StringComparer.Ordinal);

        public HashSet<string> Leftovers { get; } = new(StringComparer.Ordinal);

        public SubjectKey? Current { get; private set; }

        public bool IsErased { get; private set; }

        public void Add(string id, SubjectKey key)
        {
            Keys.Add(id, key);
            Current ??= key;
        }

        public void Erase()
        {
            IsErased = true;
            Keys.Clear();
            Current = null;
        }
    }
}
