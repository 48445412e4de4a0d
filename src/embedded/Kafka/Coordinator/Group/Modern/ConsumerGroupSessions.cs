using KafkaEventSourcing.Embedded.Kafka.Server;
using static KafkaEventSourcing.Embedded.Kafka.Coordinator.GroupCoordinatorRecordHelpers;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// How members leave a consumer group, and the deadlines by which they are put out of it. Without its last member of the consumer protocol
/// it is a classic group.
/// </summary>
internal sealed class ConsumerGroupSessions(
    ICoordinatorTimer timer, GroupTable groups, ClassicGroupRebalance classicGroups, EmbeddedKafkaOptions options, GroupConfigs configs,
    TopicStore topics, TimeProvider time)
{
    /// <summary>Members are out together; the others get their partitions with their next heartbeats.</summary>
    public CoordinatorResult Fence(ConsumerGroup group, params IReadOnlyCollection<ConsumerGroupMember> members)
    {
        if (members.Count == 0)
            return CoordinatorResult.None;
        if (group.Members.Count > members.Count && IsDowngrade(group, members, group.Members.Count - members.Count))
            return Downgrade(new ConsumerGroupDraft(group), members, rebalance: true);

        // What an expression matched goes with the last who subscribed to it.
        string[] unused = [.. group.Regexes.Keys.Where(r => !group.Members.Values.Except(members).Any(m => m.TopicRegex == r))];
        return new CoordinatorResult(
        [
            .. members.SelectMany(m => MemberTombstones(group.Id, m.Id)),
            .. unused.Select(r => RegexTombstone(group.Id, r)),
            EpochRecord(group.Id, group.Epoch + 1),
        ])
        {
            Applied = () =>
            {
                foreach (ConsumerGroupMember member in members)
                    CancelTimers(group.Id, member.Id);
                group.StateTimestamp = Now();
                return CoordinatorResult.None;
            },
        };
    }

    /// <summary>Whether the group becomes a classic one when these members are gone, and so many are left.</summary>
    public bool IsDowngrade(ConsumerGroup group, IReadOnlyCollection<ConsumerGroupMember> gone, int size) =>
        options.ConsumerGroupMigrationPolicy.HasFlag(ConsumerGroupMigrationPolicy.Downgrade)
        && size <= options.GroupMaxSize
        && group.Members.Values.All(m => m.Classic is not null || gone.Contains(m));

    /// <summary>
    /// Makes a classic group of a consumer group (KIP-848, "Online Migration"); the rebalance settles what its members have not taken yet.
    /// </summary>
    public CoordinatorResult Downgrade(ConsumerGroupDraft draft, IReadOnlyCollection<ConsumerGroupMember> leaving, bool rebalance)
    {
        ConsumerGroup group = draft.Group;
        ClassicGroup classic = ClassicGroup.FromConsumerGroup(group, leaving, topics, Now());
        string[] members = [.. group.Members.Keys.Union(draft.Before.Members.Keys)];
        return new CoordinatorResult([.. draft.Records, .. ConsumerTombstones(group), GroupMetadataRecord(classic)])
        {
            Applied = () =>
            {
                foreach (string id in members)
                    CancelTimers(group.Id, id);
                groups.Put(classic); // the record knows one protocol of each member, this one all
                classicGroups.TouchAll(classic);
                return rebalance ? classicGroups.Rebalance(classic) : CoordinatorResult.None;
            },
        };
    }

    /// <summary>The member lives: its session starts anew.</summary>
    public void Touch(ConsumerGroup group, ConsumerGroupMember member)
    {
        string id = member.Id;
        TimeSpan session = member.Classic is { } classic
            ? TimeSpan.FromMilliseconds(classic.SessionTimeoutMs)
            : configs.SessionTimeoutOf(group.Id);
        timer.Schedule(GroupDeadline.Session(group.Id, id), session, () => Expire(group.Id, id));
    }

    public void TouchAll(ConsumerGroup group)
    {
        foreach (ConsumerGroupMember member in group.Members.Values)
            Touch(group, member);
    }

    /// <summary>
    /// A member has the rebalance time-out to give up partitions. Members of the classic protocol are watched by their joins and syncs
    /// instead.
    /// </summary>
    public void WatchRevocation(ConsumerGroup group, ConsumerGroupMember member)
    {
        string key = GroupDeadline.Revocation(group.Id, member.Id);
        if (member.State != MemberState.UnrevokedPartitions || member.Classic is not null)
            timer.Cancel(key);
        else
            Watch(key, group, member);
    }

    /// <summary>Who was sent to join has the rebalance time-out for its join.</summary>
    public void WatchJoin(ConsumerGroup group, ConsumerGroupMember member) => Watch(GroupDeadline.Join(group.Id, member.Id), group, member);

    /// <summary>Who has joined has the rebalance time-out for its sync.</summary>
    public void WatchSync(ConsumerGroup group, ConsumerGroupMember member) => Watch(GroupDeadline.Sync(group.Id, member.Id), group, member);

    public void CancelSync(ConsumerGroup group, ConsumerGroupMember member) => timer.Cancel(GroupDeadline.Sync(group.Id, member.Id));

    public void CancelTimers(string groupId, string memberId)
    {
        timer.Cancel(GroupDeadline.Session(groupId, memberId));
        timer.Cancel(GroupDeadline.Revocation(groupId, memberId));
        CancelClassicTimers(groupId, memberId);
    }

    public void CancelClassicTimers(string groupId, string memberId)
    {
        timer.Cancel(GroupDeadline.Join(groupId, memberId));
        timer.Cancel(GroupDeadline.Sync(groupId, memberId));
    }

    private void Watch(string key, ConsumerGroup group, ConsumerGroupMember member)
    {
        if (!timer.IsScheduled(key))
            timer.Schedule(key, TimeSpan.FromMilliseconds(Math.Max(0, member.RebalanceTimeoutMs)), () => Expire(group.Id, member.Id));
    }

    private CoordinatorResult Expire(string groupId, string memberId) =>
        groups.Find(groupId) is ConsumerGroup group && group.Members.TryGetValue(memberId, out ConsumerGroupMember? member)
            ? Fence(group, member)
            : CoordinatorResult.None;

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();
}
