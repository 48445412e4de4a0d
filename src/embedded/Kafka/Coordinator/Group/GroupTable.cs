using System.Diagnostics.CodeAnalysis;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The groups by their ids, as the records of <c>__consumer_offsets</c> left them. Used under the coordinator's lock.</summary>
internal sealed class GroupTable(TimeProvider time)
{
    private readonly Dictionary<string, Group> _groups = [];

    public IReadOnlyCollection<Group> All => _groups.Values;

    public IEnumerable<ClassicGroup> Classic => _groups.Values.OfType<ClassicGroup>();

    public IEnumerable<ConsumerGroup> Consumers => _groups.Values.OfType<ConsumerGroup>();

    public bool Contains(string id) => _groups.ContainsKey(id);

    public Group? Find(string id) => _groups.GetValueOrDefault(id);

    public bool TryFind(string id, [NotNullWhen(true)] out Group? group) => _groups.TryGetValue(id, out group);

    /// <summary>Puts a group in the place of one of the same id. Only for what is in the log already, or need not be.</summary>
    public void Put(Group group) => _groups[group.Id] = group;

    /// <summary>The group of this id, or a new one that has no members: it may be known by its offsets alone.</summary>
    public Group GetOrCreate(string id)
    {
        if (!_groups.TryGetValue(id, out Group? group))
            _groups.Add(id, group = new ClassicGroup(id) { StateTimestamp = Now() });
        return group;
    }

    public void Replay(IKafkaRecord key, IKafkaRecord? value)
    {
        switch (key, value)
        {
            case (GroupMetadataKey classic, GroupMetadataValue metadata):
                Put(ClassicGroup.From(classic.Group, metadata));
                break;
            case (GroupMetadataKey classic, null) when Find(classic.Group) is ClassicGroup:
                _groups.Remove(classic.Group);
                break;
            case (ConsumerGroupMetadataKey consumers, null) when Find(consumers.GroupId) is ConsumerGroup:
                _groups.Remove(consumers.GroupId);
                break;
            default:
                if (GroupIdOf(key) is { } id)
                    (value is null ? Find(id) as ConsumerGroup : ConsumerGroupOf(id))?.Replay(key, value);
                break;
        }
    }

    private static string? GroupIdOf(IKafkaRecord key) => key switch
    {
        ConsumerGroupMetadataKey of => of.GroupId,
        ConsumerGroupPartitionMetadataKey of => of.GroupId,
        ConsumerGroupTargetAssignmentMetadataKey of => of.GroupId,
        ConsumerGroupTargetAssignmentMemberKey of => of.GroupId,
        ConsumerGroupRegularExpressionKey of => of.GroupId,
        ConsumerGroupMemberMetadataKey of => of.GroupId,
        ConsumerGroupCurrentMemberAssignmentKey of => of.GroupId,
        _ => null,
    };

    private ConsumerGroup ConsumerGroupOf(string id)
    {
        if (Find(id) is ConsumerGroup known)
            return known;
        var group = new ConsumerGroup(id) { StateTimestamp = Now() };
        Put(group);
        return group;
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();
}
