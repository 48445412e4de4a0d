using System.Collections.Immutable;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;
using static KafkaEventSourcing.Embedded.Kafka.Coordinator.GroupCoordinatorRecordHelpers;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// How a consumer group follows its members and topics: subscriptions make an epoch, an epoch makes a target, a target makes assignments
/// (KIP-848).
/// </summary>
internal sealed class ConsumerGroupAssignment(ICoordinatorTimer timer, GroupTable groups, TopicStore topics, TimeProvider time)
{
    private static readonly Dictionary<string, IServerAssignor> Assignors = new()
    {
        [UniformAssignor.Name] = new UniformAssignor(),
        [RangeAssignor.Name] = new RangeAssignor(),
    };

    public static IReadOnlyCollection<string> AssignorNames => Assignors.Keys;

    /// <summary>
    /// The expression by which a member subscribes. Kafka takes RE2's language, which needs no backtracking: none can make the broker think
    /// for long.
    /// </summary>
    /// <exception cref="ArgumentException">It is not a regular expression.</exception>
    /// <exception cref="NotSupportedException">It needs backtracking.</exception>
    public static Regex TopicRegex(string expression) =>
        new($"^(?:{expression})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    /// <summary>
    /// Adds a member that is new, has changed, or comes in place of another one; whether its subscription is another one.
    /// </summary>
    public static bool UpdateMember(ConsumerGroupDraft draft, ConsumerGroupMember updated, ConsumerGroupMember? replaced)
    {
        ConsumerGroup group = draft.Group;
        ConsumerGroupMember? before = replaced ?? group.Members.GetValueOrDefault(updated.Id);
        ImmutableHashSet<AssignedPartition> target = replaced is null ? [] : group.TargetOf(replaced.Id);
        if (replaced is not null)
            draft.AddRange([.. MemberTombstones(group.Id, replaced.Id)]);
        if (before is null || replaced is not null || !before.HasSameMetadata(updated))
            draft.Add(MemberRecord(group.Id, updated));
        if (replaced is not null)
            draft.Add(TargetRecord(group.Id, updated.Id, target));
        if (before is null || replaced is not null)
            draft.Add(AssignmentRecord(group.Id, updated));
        return before is null || !before.HasSameSubscription(updated);
    }

    /// <summary>
    /// Brings what the members subscribe to up to date; a change starts a new epoch. A regular expression that is new is not resolved by
    /// the heartbeat that brings it but right after it, as in Kafka: its topics come with a later heartbeat than those that are named.
    /// </summary>
    public void RefreshTopics(ConsumerGroupDraft draft, bool membersChanged, bool resolvesNew = false)
    {
        long version = topics.Version;
        // A log may end between the record of a member and that of the epoch for it: the next heartbeat brings the epoch.
        membersChanged |= draft.Group.Epoch == draft.Group.TargetEpoch
            && draft.Group.Members.Keys.Any(m => !draft.Group.Target.ContainsKey(m));
        if (!membersChanged && !resolvesNew && version == draft.Group.TopicsVersion)
            return;
        RefreshRegexes(draft, version, resolvesNew);
        ConsumerGroup group = draft.Group;
        SubscribedTopic[] subscribed =
        [
            .. group.SubscribedTopics().Order(StringComparer.Ordinal).Select(topics.Find).OfType<Topic>().Select(t =>
                new SubscribedTopic(t.Name, t.Id, t.Partitions)),
        ];
        bool topicsChanged = !group.Topics.Values.ToHashSet().SetEquals(subscribed);
        if (topicsChanged)
            draft.Add(PartitionMetadataRecord(group.Id, subscribed));
        if (membersChanged || topicsChanged)
            draft.Add(EpochRecord(group.Id, group.Epoch + 1));
        draft.TopicsVersion = version;
    }

    /// <summary>Makes a target for an epoch that has none.</summary>
    public static void AssignTarget(ConsumerGroupDraft draft)
    {
        ConsumerGroup group = draft.Group;
        if (group.Epoch <= group.TargetEpoch)
            return;
        IServerAssignor assignor = Assignors.GetValueOrDefault(group.PreferredAssignor()) ?? Assignors[UniformAssignor.Name];
        AssigneeSpec[] members = [.. group.Members.Values.Select(m =>
            new AssigneeSpec(m.Id, m.InstanceId, group.TopicsOf(m).ToHashSet(), group.TargetOf(m.Id)))];
        foreach ((string member, HashSet<AssignedPartition> target) in assignor.Assign(members, group.Topics))
        {
            if (!draft.Group.Target.TryGetValue(member, out ImmutableHashSet<AssignedPartition>? known) || !known.SetEquals(target))
                draft.Add(TargetRecord(group.Id, member, target));
        }

        draft.Add(TargetEpochRecord(group.Id, group.Epoch));
    }

    /// <summary>
    /// Takes the member a step towards its target; <paramref name="owned"/> is what it says to have, null when it says nothing.
    /// </summary>
    public static ConsumerGroupMember Reconcile(ConsumerGroupDraft draft, ConsumerGroupMember member,
        IReadOnlySet<AssignedPartition>? owned)
    {
        ConsumerGroupMember next = Reconciliation.Next(draft.Group, member, owned);
        if (!next.HasSameAssignment(member))
            draft.Add(AssignmentRecord(draft.Group.Id, next));
        return next;
    }

    /// <summary>What follows once the draft is written.</summary>
    public void Applied(ConsumerGroupDraft draft)
    {
        string id = draft.Group.Id;
        if (draft.TopicsVersion is { } version && groups.Find(id) is ConsumerGroup group)
            group.TopicsVersion = version;
        if (draft.HasNewRegex)
            timer.Schedule(GroupDeadline.Regexes(id), TimeSpan.Zero, () => ResolveRegexes(id));
    }

    private void RefreshRegexes(ConsumerGroupDraft draft, long version, bool resolvesNew)
    {
        ConsumerGroup group = draft.Group;
        string[] regexes = [.. group.Members.Values.Select(m => m.TopicRegex).OfType<string>().Where(r => r.Length > 0).Distinct()];
        string[] unused = [.. group.Regexes.Keys.Except(regexes)];
        foreach (string regex in regexes)
        {
            bool isNew = !draft.Group.Regexes.TryGetValue(regex, out IReadOnlyList<string>? known);
            if (isNew && !resolvesNew)
            {
                draft.HasNewRegex = true;
                continue;
            }

            Regex matcher = TopicRegex(regex);
            string[] matched = [.. topics.All.Select(t => t.Name).Where(n => matcher.IsMatch(n))];
            if (isNew || !known!.SequenceEqual(matched))
                draft.Add(RegexRecord(group.Id, regex, matched, version, time.GetUtcNow().ToUnixTimeMilliseconds()));
        }

        draft.AddRange([.. unused.Select(r => RegexTombstone(group.Id, r))]);
    }

    private CoordinatorResult ResolveRegexes(string groupId)
    {
        if (groups.Find(groupId) is not ConsumerGroup group)
            return CoordinatorResult.None;
        var draft = new ConsumerGroupDraft(group);
        RefreshTopics(draft, membersChanged: false, resolvesNew: true);
        return new CoordinatorResult(draft.Records)
        {
            Applied = () =>
            {
                Applied(draft);
                return CoordinatorResult.None;
            },
        };
    }
}
