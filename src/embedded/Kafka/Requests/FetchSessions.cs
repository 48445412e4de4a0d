using System.Security.Cryptography;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>The fetch sessions of all readers: bounded, and those that were not used for a while make room. Thread-safe.</summary>
internal sealed class FetchSessions(TimeProvider time)
{
    private const int MaxSessions = 1_000;
    private const int FinalEpoch = -1;
    private static readonly TimeSpan EvictAfter = TimeSpan.FromMinutes(2);

    private readonly Lock _lock = new();
    private readonly Dictionary<int, FetchSession> _sessions = [];

    /// <summary>The session of a request; none for a reader that wants none, or that finds no room: it is answered in full.</summary>
    public ErrorCode Open(FetchRequest request, out FetchSession? session, out bool isNew)
    {
        (session, isNew) = (null, false);
        lock (_lock)
        {
            if (request.SessionEpoch is 0 or FinalEpoch)
            {
                _sessions.Remove(request.SessionId);
                if (request.SessionEpoch == 0 && request.Topics.Count > 0 && MakeRoom())
                {
                    int id;
                    do
                        id = RandomNumberGenerator.GetInt32(1, int.MaxValue);
                    while (!_sessions.TryAdd(id, session = new FetchSession(id)));
                    session.LastUsed = time.GetTimestamp();
                    session.Apply(request);
                    isNew = true;
                }

                return ErrorCode.None;
            }

            if (!_sessions.TryGetValue(request.SessionId, out FetchSession? known))
                return ErrorCode.FetchSessionIdNotFound;
            if (known.Epoch != request.SessionEpoch)
                return ErrorCode.InvalidFetchSessionEpoch;
            known.Apply(request);
            known.Advance();
            known.LastUsed = time.GetTimestamp();
            if (known.IsEmpty)
                _sessions.Remove(known.Id);
            session = known;
            return ErrorCode.None;
        }
    }

    private bool MakeRoom()
    {
        if (_sessions.Count < MaxSessions)
            return true;
        FetchSession oldest = _sessions.Values.MinBy(s => s.LastUsed)!;
        return time.GetElapsedTime(oldest.LastUsed) > EvictAfter && _sessions.Remove(oldest.Id);
    }
}
