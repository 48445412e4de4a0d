using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The states of a group of the classic protocol, by Kafka's names.</summary>
internal enum ClassicGroupState
{
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
    Dead,
}

/// <summary>A group whose members agree on a protocol and let their leader assign (Apache Kafka, "Group Membership Protocol").</summary>
internal sealed class ClassicGroup(string id) : Group(id)
{
    public override string Type => "classic";

    public override string ProtocolType => AgreedType ?? "";

    public override string StateName => State.ToString();

    public override bool IsEmpty => Members.Count == 0;

    public ClassicGroupState State { get; private set; }

    public ClassicGroupState PreviousState { get; private set; }

    public int Generation { get; set; }

    public string? AgreedType { get; set; }

    public string? Protocol { get; set; }

    public string? Leader { get; set; }

    /// <summary>Whether somebody came while the first rebalance waits for more.</summary>
    public bool NewMemberAdded { get; set; }

    public Dictionary<string, ClassicGroupMember> Members { get; } = [];

    /// <summary>Member ids that were given out and have not joined yet.</summary>
    public HashSet<string> Pending { get; } = [];

    public ClassicGroupMember? Static(string instanceId) => Members.Values.FirstOrDefault(m => m.InstanceId == instanceId);

    public bool HasAllJoined => Pending.Count == 0 && Members.Values.All(m => m.Joining is not null);

    public TimeSpan RebalanceTimeout => Members.Values.Select(m => m.RebalanceTimeout).DefaultIfEmpty().Max();

    public void MoveTo(ClassicGroupState state, long now) => (PreviousState, State, StateTimestamp) = (State, state, now);

    public bool Supports(string type, IEnumerable<string> protocols) =>
        Members.Count == 0
            ? type.Length > 0 && protocols.Any()
            : type == AgreedType && protocols.Any(p => Members.Values.All(m => m.Protocols.Any(o => o.Name == p)));

    /// <summary>The protocol that every member supports and that most prefer among those.</summary>
    public string? SelectProtocol()
    {
        HashSet<string> common = [.. Members.Values.SelectMany(m => m.Protocols.Select(p => p.Name)).Distinct().Where(name =>
            Members.Values.All(m => m.Protocols.Any(p => p.Name == name)))];
        return Members.Values.Select(m => m.Protocols.First(p => common.Contains(p.Name)).Name).GroupBy(name => name).MaxBy(votes =>
            votes.Count())?.Key;
    }

    /// <summary>The topics that members subscribe to; null when they are not consumers, or say what cannot be read.</summary>
    public override IReadOnlySet<string>? SubscribedTopics()
    {
        if (AgreedType != ConsumerProtocol.Type)
            return null;
        HashSet<string> topics = [];
        foreach (ClassicGroupMember member in Members.Values)
        {
            try
            {
                topics.UnionWith(ConsumerProtocol.ReadSubscription(member.MetadataOf(Protocol ?? member.Protocols[0].Name)).Topics);
            }
            catch (MalformedRequestException)
            {
                return null;
            }
        }

        return topics;
    }

    public override IEnumerable<CoordinatorRecord> Tombstones() => [new CoordinatorRecord(new GroupMetadataKey { Group = Id }, null)];

    /// <summary>A group that waits for members that were given an id stays.</summary>
    public override bool CanBeForgotten => State == ClassicGroupState.Empty && Pending.Count == 0;

    public override ErrorCode ValidateOffsetCommit(string memberId, string? instanceId, int generation, bool isTransactional, short version)
    {
        if (generation < 0 && State == ClassicGroupState.Empty)
            return ErrorCode.None;
        if (generation < 0 && memberId.Length == 0 && instanceId is null)
            return isTransactional ? ErrorCode.None : ErrorCode.UnknownMemberId; // of a group with members only they commit
        ErrorCode error = Validate(memberId, instanceId);
        return error != ErrorCode.None ? error
            : generation != Generation ? ErrorCode.IllegalGeneration
            : State == ClassicGroupState.CompletingRebalance && !isTransactional ? ErrorCode.RebalanceInProgress
            : ErrorCode.None;
    }

    public override ErrorCode ValidateOffsetFetch(string? memberId, int memberEpoch) => ErrorCode.None;

    public ErrorCode Validate(string memberId, string? instanceId)
    {
        if (instanceId is not null)
            return Static(instanceId) is not { } known
                ? ErrorCode.UnknownMemberId
                : known.Id == memberId
                ? ErrorCode.None
                : ErrorCode.FencedInstanceId;
        return Members.ContainsKey(memberId) ? ErrorCode.None : ErrorCode.UnknownMemberId;
    }

    /// <summary>The group that a record says.</summary>
    public static ClassicGroup From(string id, GroupMetadataValue value)
    {
        var group = new ClassicGroup(id)
        {
            Generation = value.Generation,
            Protocol = value.Protocol,
            Leader = value.Leader,
            AgreedType = value.ProtocolType.Length > 0 ? value.ProtocolType : null,
        };
        group.MoveTo(value.Members.Count > 0 ? ClassicGroupState.Stable : ClassicGroupState.Empty, value.CurrentStateTimestamp);
        foreach (GroupMetadataValue.Member stored in value.Members)
        {
            group.Members[stored.MemberId] = new ClassicGroupMember
            {
                Id = stored.MemberId,
                InstanceId = stored.GroupInstanceId,
                ClientId = stored.ClientId,
                ClientHost = stored.ClientHost,
                SessionTimeout = TimeSpan.FromMilliseconds(stored.SessionTimeout),
                RebalanceTimeout = TimeSpan.FromMilliseconds(stored.RebalanceTimeout),
                Protocols = [(value.Protocol ?? "", stored.Subscription.ToArray())],
                Assignment = stored.Assignment.ToArray(),
            };
        }

        return group;
    }

    /// <summary>
    /// The classic group that a consumer group becomes without the members that leave it: the epoch is the generation, and everybody is
    /// assigned its target.
    /// </summary>
    public static ClassicGroup FromConsumerGroup(ConsumerGroup group, IReadOnlyCollection<ConsumerGroupMember> leaving,
        TopicStore topics, long now)
    {
        var classic = new ClassicGroup(group.Id) { Generation = group.Epoch, AgreedType = ConsumerProtocol.Type };
        foreach (ConsumerGroupMember member in group.Members.Values.Where(m => !leaving.Contains(m)))
        {
            classic.Members[member.Id] = new ClassicGroupMember
            {
                Id = member.Id,
                InstanceId = member.InstanceId,
                ClientId = member.ClientId,
                ClientHost = member.ClientHost,
                SessionTimeout = TimeSpan.FromMilliseconds(member.Classic!.SessionTimeoutMs),
                RebalanceTimeout = TimeSpan.FromMilliseconds(member.RebalanceTimeoutMs),
                Protocols = [.. member.Classic.SupportedProtocols],
            };
        }

        classic.Protocol = classic.SelectProtocol();
        foreach (ClassicGroupMember member in classic.Members.Values)
            member.Assignment = ConsumerProtocol.Write(ConsumerProtocol.AssignmentOf(topics, group.TargetOf(member.Id)),
                member.MetadataOf(classic.Protocol));
        classic.MoveTo(ClassicGroupState.Stable, now);
        return classic;
    }
}
