using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net.Processors;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.State.Enumerator;

namespace KafkaEventSourcing.Streamiz;

/// <summary>The stores of a join in the task of the right aggregates: who refers to them, and their snapshots.</summary>
internal sealed class JoinStores(JoinPart part, Func<string, IStateStore> store)
{
    private readonly IKeyValueStore<byte[], JoinRequest?> _requests =
        (IKeyValueStore<byte[], JoinRequest?>)store(part.Requests);

    private readonly IKeyValueStore<byte[], Snapshot?> _right =
        (IKeyValueStore<byte[], Snapshot?>)store(SnapshotPart.StoreOf(part.Right));

    /// <summary>
    /// Remembers a request, or forgets it where it ends, and returns the one that counts: an older one, which comes again, changes nothing
    /// and is written again. Null: there is none.
    /// </summary>
    public JoinRequest? Remember(string right, JoinRequest request)
    {
        byte[] key = KeyOf(right, request.Left);
        JoinRequest newest = _requests.Get(key) is { } known && known.Version > request.Version ? known : request;
        if (newest.Ends)
        {
            _requests.Delete(key); // also when it is not there: the tombstone may be of the transaction that was aborted
            return null;
        }

        _requests.Put(key, newest);
        return newest;
    }

    /// <summary>Those that refer to <paramref name="right"/>.</summary>
    public IReadOnlyList<JoinRequest> RequestsOf(string right)
    {
        byte[] from = [.. KeySerDes.BytesOf(right), 0];
        using IKeyValueEnumerator<byte[], JoinRequest?> range = _requests.Range(from, [.. from[..^1], 1]);
        var found = new List<JoinRequest>();
        while (range.MoveNext())
        {
            if (range.Current is { Key: { } key, Value: { } request } && key.AsSpan().StartsWith(from))
                found.Add(request);
        }

        return found;
    }

    /// <summary>The state of <paramref name="right"/> now, in Avro's binary encoding; null: there is no such aggregate.</summary>
    public byte[]? StateOf(string right) => _right.Get(KeySerDes.BytesOf(right))?.State is IAvroRecord state
        ? EncodedBytes.Of(null, state, static (IAvroRecord value, ref AvroWriter writer) => value.WriteTo(ref writer))
        : null;

    // No aggregate id has a zero byte.
    private static byte[] KeyOf(string right, string left) =>
        [.. KeySerDes.BytesOf(right), 0, .. KeySerDes.BytesOf(left)];
}
