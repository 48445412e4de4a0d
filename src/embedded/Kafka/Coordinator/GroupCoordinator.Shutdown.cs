using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>What becomes of members that wait when the broker stops.</summary>
internal sealed partial class GroupCoordinator
{
    private bool _stopping;

    /// <summary>Answers who waits for a rebalance: it may last for minutes, and the broker would wait for those connections.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _stopping = true;
            foreach (ClassicMember member in _groups.Values.OfType<ClassicGroup>().SelectMany(g => g.Members.Values))
                ReleaseIfStopping(member);
        }
    }

    /// <summary>Another broker coordinates: it knows the groups by their records, and all members have a full session to come back.</summary>
    public void Moved()
    {
        lock (_lock)
        {
            foreach (ClassicGroup group in _groups.Values.OfType<ClassicGroup>())
            {
                foreach (ClassicMember member in group.Members.Values)
                    Touch(group, member);
            }

            foreach (ConsumerGroup group in _groups.Values.OfType<ConsumerGroup>())
                TouchAll(group);
        }
    }

    private void ReleaseIfStopping(ClassicMember member)
    {
        if (!_stopping)
            return;
        member.CompleteJoin(new JoinGroupResponse { ErrorCode = (short)ErrorCode.CoordinatorNotAvailable, MemberId = member.Id });
        member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)ErrorCode.CoordinatorNotAvailable });
    }
}
