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

    private readonly AvroRecordType _leftType = RecordTypes.Of(part.Left.StateType);

    /// <summary>
    /// Remembers a request and returns the one that counts: an older one, which comes again, changes nothing and is written again.
    /// </summary>
    public JoinRequest Remember(string right, JoinRequest request)
    {
        byte[] key = KeyOf(right, request.Left);
        JoinRequest newest = _requests.Get(key) is { } known && known.Version > request.Version ? known : request;
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

    /// <summary>The result of <paramref name="request"/> now.</summary>
    public JoinResult ResultOf(string right, JoinRequest request) =>
        new(request.Left, part.Select(_leftType.Read(request.State), _right.Get(KeySerDes.BytesOf(right))?.State));

    // No aggregate id has a zero byte.
    private static byte[] KeyOf(string right, string left) =>
        [.. KeySerDes.BytesOf(right), 0, .. KeySerDes.BytesOf(left)];
}

/// <summary>A result of a join.</summary>
/// <param name="Key">The key of the left aggregate.</param>
/// <param name="Value">The result; null: a tombstone.</param>
internal sealed record JoinResult(string Key, IAvroRecord? Value);
