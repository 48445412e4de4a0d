using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The states of a group of the classic protocol, by Kafka's names.</summary>
internal enum ClassicState
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

    public ClassicState State { get; private set; }

    public ClassicState PreviousState { get; private set; }

    public int Generation { get; set; }

    public string? AgreedType { get; set; }

    public string? Protocol { get; set; }

    public string? Leader { get; set; }

    /// <summary>Whether somebody came while the first rebalance waits for more.</summary>
    public bool NewMemberAdded { get; set; }

    public Dictionary<string, ClassicMember> Members { get; } = [];

    /// <summary>Member ids that were given out and have not joined yet.</summary>
    public HashSet<string> Pending { get; } = [];

    public ClassicMember? Static(string instanceId) => Members.Values.FirstOrDefault(m => m.InstanceId == instanceId);

    public bool HasAllJoined => Pending.Count == 0 && Members.Values.All(m => m.Joining is not null);

    public TimeSpan RebalanceTimeout => Members.Values.Select(m => m.RebalanceTimeout).DefaultIfEmpty().Max();

    public void MoveTo(ClassicState state, long now) => (PreviousState, State, StateTimestamp) = (State, state, now);

    public bool Supports(string type, IEnumerable<string> protocols) =>
        Members.Count == 0 ? type.Length > 0 && protocols.Any() : type == AgreedType && protocols.Any(p => Members.Values.All(m => m.Protocols.Any(o => o.Name == p)));

    /// <summary>The protocol that every member supports and that most prefer among those.</summary>
    public string? SelectProtocol()
    {
        HashSet<string> common = [.. Members.Values.SelectMany(m => m.Protocols.Select(p => p.Name)).Distinct().Where(name => Members.Values.All(m => m.Protocols.Any(p => p.Name == name)))];
        return Members.Values.Select(m => m.Protocols.First(p => common.Contains(p.Name)).Name).GroupBy(name => name).MaxBy(votes => votes.Count())?.Key;
    }

    /// <summary>The topics that members subscribe to; null when they are no consumers, or say what cannot be read.</summary>
    public HashSet<string>? SubscribedTopics()
    {
        if (AgreedType != ConsumerProtocol.Type)
            return null;
        HashSet<string> topics = [];
        foreach (ClassicMember member in Members.Values)
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

    public ErrorCode Validate(string memberId, string? instanceId)
    {
        if (instanceId is not null)
            return Static(instanceId) is not { } known ? ErrorCode.UnknownMemberId : known.Id == memberId ? ErrorCode.None : ErrorCode.FencedInstanceId;
        return Members.ContainsKey(memberId) ? ErrorCode.None : ErrorCode.UnknownMemberId;
    }
}
