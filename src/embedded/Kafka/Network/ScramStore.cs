using System.Text.Json;
using KafkaEventSourcing.Embedded.Kafka.Log;

namespace KafkaEventSourcing.Embedded.Kafka.Network;

/// <summary>
/// The SCRAM credentials: those of the options, and those that were set through the protocol, which one file keeps. Thread-safe.
/// </summary>
internal sealed class ScramStore
{
    private readonly Lock _lock = new();
    private readonly string _path;
    private Dictionary<string, List<ScramCredential>> _kept = [];
    private readonly Dictionary<string, List<ScramCredential>> _configured;

    public ScramStore(string directory, IReadOnlyDictionary<string, string> users)
    {
        _path = Path.Combine(directory, "scram.json");
        if (File.Exists(_path))
            _kept = JsonSerializer.Deserialize<Dictionary<string, List<ScramCredential>>>(File.ReadAllBytes(_path)) ?? [];
        _configured = users.ToDictionary(u => u.Key, u =>
            new List<ScramCredential>
            {
                ScramCredential.FromPassword(ScramMechanism.Sha256, u.Value),
                ScramCredential.FromPassword(ScramMechanism.Sha512, u.Value),
            });
    }

    public IReadOnlyList<string> Users
    {
        get
        {
            lock (_lock)
                return [.. _kept.Keys.Union(_configured.Keys).Order(StringComparer.Ordinal)];
        }
    }

    public ScramCredential? Find(string user, ScramMechanism mechanism) => Of(user).FirstOrDefault(c => c.Mechanism == mechanism);

    /// <summary>The credentials of a user; what was set through the protocol comes before what the options say.</summary>
    public IReadOnlyList<ScramCredential> Of(string user)
    {
        lock (_lock)
            return [.. _kept.GetValueOrDefault(user, []).Concat(_configured.GetValueOrDefault(user, [])).DistinctBy(c => c.Mechanism)
                .OrderBy(c => c.Mechanism)];
    }

    public void Change(IReadOnlyList<(string User, ScramMechanism Mechanism)> deletions,
        IReadOnlyList<(string User, ScramCredential Credential)> upsertions)
    {
        if (deletions.Count + upsertions.Count == 0)
            return;
        lock (_lock)
        {
            var kept = _kept.ToDictionary(k => k.Key, k => k.Value.ToList());
            foreach ((string user, ScramMechanism mechanism) in deletions.Concat(upsertions.Select(u => (u.User, u.Credential.Mechanism))))
            {
                kept.GetValueOrDefault(user)?.RemoveAll(c => c.Mechanism == mechanism);
                if (kept.TryGetValue(user, out List<ScramCredential>? rest) && rest.Count == 0)
                    kept.Remove(user);
            }

            foreach ((string user, ScramCredential credential) in upsertions)
                (kept.TryGetValue(user, out List<ScramCredential>? list) ? list : kept[user] = []).Add(credential);
            DurableFile.Replace(_path, JsonSerializer.SerializeToUtf8Bytes(kept));
            _kept = kept;

            foreach ((string user, ScramMechanism mechanism) in deletions)
                _configured.GetValueOrDefault(user)?.RemoveAll(c => c.Mechanism == mechanism);
        }
    }
}
