using System.Collections.Frozen;
using KafkaEventSourcing.Embedded.Kafka.Log;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>What DescribeConfigs says of a config to whom asks for documentation, and what this broker makes of it.</summary>
internal static class ConfigDocumentation
{
    private const string KeptOnly = " This broker keeps and tells it; it has no effect.";

    private static readonly FrozenDictionary<string, string> Texts = new Dictionary<string, string>
    {
        // of topics
        ["cleanup.policy"] = "What happens to old records: delete drops segments by age and size, compact keeps the newest record of each "
            + "key; both may be given.",
        ["compression.gzip.level"] = "The level at which the broker compresses with gzip, -1 for the codec's own default.",
        ["compression.lz4.level"] = "The level at which the broker compresses with lz4.",
        ["compression.type"] = "The codec of the batches in the log: that of the producer, a given one, or none.",
        ["compression.zstd.level"] = "The level at which the broker compresses with zstd.",
        ["delete.retention.ms"] = "How long, in milliseconds, a compacted log keeps tombstones and transaction markers after they became "
            + "removable.",
        ["file.delete.delay.ms"] = "After how many milliseconds the file of a dropped segment is deleted.",
        ["flush.messages"] = "After how many records the log is written through to the disk.",
        ["flush.ms"] = "After how many milliseconds the log is written through to the disk.",
        ["follower.replication.throttled.replicas"] = "The replicas whose fetching is throttled, as partition:broker, or *." + KeptOnly,
        ["index.interval.bytes"] = "After how many bytes of records the offset index gets an entry.",
        ["internal.segment.bytes"] = "The largest segment of a log, in bytes, for tests: goes before segment.bytes and may be smaller.",
        ["leader.replication.throttled.replicas"] = "The replicas whose serving is throttled, as partition:broker, or *." + KeptOnly,
        ["local.retention.bytes"] = "The most bytes that stay on this node with tiered storage, -2 for retention.bytes." + KeptOnly,
        ["local.retention.ms"] = "How many milliseconds records stay on this node with tiered storage, -2 for retention.ms." + KeptOnly,
        ["max.compaction.lag.ms"] = "After how many milliseconds at the latest a record can be compacted.",
        ["max.message.bytes"] = "The largest record batch, in bytes and compressed, that is taken.",
        ["message.timestamp.after.max.ms"] = "By how many milliseconds the time of a record may be ahead of the broker's.",
        ["message.timestamp.before.max.ms"] = "By how many milliseconds the time of a record may be behind the broker's.",
        ["message.timestamp.type"] = "Whose time a record carries: the producer's (CreateTime) or the broker's (LogAppendTime).",
        ["min.cleanable.dirty.ratio"] = "Which share of a log must be uncompacted before it is compacted.",
        ["min.compaction.lag.ms"] = "How many milliseconds a record stays uncompacted.",
        ["min.insync.replicas"] = "How many replicas must have a record before it is acknowledged to acks=all." + KeptOnly,
        ["preallocate"] = "Whether the file of a new segment is created in its full size." + KeptOnly,
        ["remote.copy.lag.bytes"] = "How many bytes of a tiered topic stay uncopied, -1 for local.retention.bytes." + KeptOnly,
        ["remote.copy.lag.ms"] = "For how many milliseconds records of a tiered topic stay uncopied, -1 for local.retention.ms." + KeptOnly,
        ["remote.log.copy.disable"] = "Whether a tiered topic is not copied to the remote tier any more." + KeptOnly,
        ["remote.log.delete.on.disable"] = "Whether the remote tier is deleted when tiered storage of the topic ends." + KeptOnly,
        ["remote.storage.enable"] = "Whether the topic is tiered. This broker has no tiered storage and refuses it.",
        ["retention.bytes"] = "The most bytes that a partition keeps with the policy delete, -1 for any number.",
        ["retention.ms"] = "How many milliseconds records are kept with the policy delete, -1 for ever.",
        ["segment.bytes"] = "The largest segment of a log, in bytes.",
        ["segment.index.bytes"] = "The largest index of a segment, in bytes.",
        ["segment.jitter.ms"] = "By how many milliseconds at most the end of a segment is brought forward at random.",
        ["segment.ms"] = "After how many milliseconds a segment ends, full or not.",
        ["unclean.leader.election.enable"] = "Whether a replica that misses records may become the leader." + KeptOnly,

        // of groups
        ["consumer.heartbeat.interval.ms"] = "How often, in milliseconds, members of the consumer protocol send a heartbeat.",
        ["consumer.session.timeout.ms"] = "After how many milliseconds without a heartbeat a member of the consumer protocol is removed.",
        ["share.auto.offset.reset"] = "Where a share group begins." + KeptOnly,
        ["share.heartbeat.interval.ms"] = "How often, in milliseconds, members of a share group send a heartbeat." + KeptOnly,
        ["share.isolation.level"] = "Whether a share group sees records of open and aborted transactions." + KeptOnly,
        ["share.record.lock.duration.ms"] = "For how many milliseconds a record is acquired in a share group." + KeptOnly,
        ["share.session.timeout.ms"] = "After how many milliseconds without a heartbeat a member of a share group is removed." + KeptOnly,
        ["streams.heartbeat.interval.ms"] = "How often, in milliseconds, members of a streams group send a heartbeat." + KeptOnly,
        ["streams.num.standby.replicas"] = "How many standbys each task of a streams group has." + KeptOnly,
        ["streams.session.timeout.ms"] = "After how many milliseconds without a heartbeat a member of a streams group is removed."
            + KeptOnly,

        // of subscriptions to the metrics of clients
        ["interval.ms"] = "How often, in milliseconds, clients push the metrics." + KeptOnly,
        ["match"] = "Which clients are meant, as selector=regular expression." + KeptOnly,
        ["metrics"] = "The prefixes of the metrics that are wanted." + KeptOnly,

        // of the broker
        ["advertised.listeners"] = "The addresses that clients are told.",
        ["auto.create.topics.enable"] = "Whether a topic that a client asks for is created.",
        ["background.threads"] = "The threads of background work." + KeptOnly,
        ["broker.id"] = "The id of this node.",
        ["broker.rack"] = "The rack of this node.",
        ["connections.max.idle.ms"] = "After how many milliseconds a silent connection is closed.",
        ["connections.max.reauth.ms"] = "How many milliseconds a login lasts, 0 without end.",
        ["controller.listener.names"] = "The listeners of the controller; one node has one listener for all.",
        ["controller.quorum.voters"] = "The voters of the metadata quorum: this node.",
        ["default.replication.factor"] = "The replicas of a topic that is created without a number.",
        ["delete.topic.enable"] = "Whether topics can be deleted.",
        ["fetch.max.bytes"] = "The most bytes that a fetch is answered with, whatever it asks for.",
        ["follower.replication.throttled.rate"] = "The most bytes a second that throttled followers fetch." + KeptOnly,
        ["group.consumer.max.size"] = "The most members of a group of the consumer protocol.",
        ["group.consumer.migration.policy"] = "Whether a group with members may change between the classic and the consumer protocol.",
        ["group.coordinator.rebalance.protocols"] = "The group protocols that are offered.",
        ["group.initial.rebalance.delay.ms"] = "How many milliseconds the first rebalance of an empty group waits for more members.",
        ["group.max.session.timeout.ms"] = "The longest session time-out, in milliseconds, that a member of a classic group may ask for.",
        ["group.max.size"] = "The most members of a classic group.",
        ["group.min.session.timeout.ms"] = "The shortest session time-out, in milliseconds, that a member of a classic group may ask for.",
        ["inter.broker.listener.name"] = "The listener between brokers; one node has one listener for all.",
        ["leader.replication.throttled.rate"] = "The most bytes a second that throttled leaders serve." + KeptOnly,
        ["listener.security.protocol.map"] = "The security protocol of each listener.",
        ["listeners"] = "The addresses that this node listens on.",
        ["log.dir"] = "The folder of the logs.",
        ["log.dirs"] = "The folders of the logs; one here.",
        ["log.retention.check.interval.ms"] = "How often, in milliseconds, retention and compaction run.",
        ["max.connections"] = "The most connections; a further one is closed.",
        ["node.id"] = "The id of this node.",
        ["num.io.threads"] = "The threads that serve requests." + KeptOnly,
        ["num.network.threads"] = "The threads that read and write the connections." + KeptOnly,
        ["num.partitions"] = "The partitions of a topic that is created without a number.",
        ["offset.metadata.max.bytes"] = "The longest text that may be committed with an offset.",
        ["offsets.retention.minutes"] = "For how many minutes the offsets of a group without members are kept.",
        ["offsets.topic.compression.codec"] = "The codec of __consumer_offsets.",
        ["offsets.topic.num.partitions"] = "The partitions of __consumer_offsets.",
        ["offsets.topic.replication.factor"] = "The replicas of __consumer_offsets.",
        ["process.roles"] = "What this node is: broker and controller in one.",
        ["queued.max.request.bytes"] = "The most bytes that requests under way hold; further ones wait.",
        ["sasl.enabled.mechanisms"] = "The SASL mechanisms that are offered.",
        ["sasl.kerberos.min.time.before.relogin"] = "The least milliseconds between two Kerberos logins." + KeptOnly,
        ["sasl.login.refresh.buffer.seconds"] = "How many seconds before its end a login of the broker is renewed." + KeptOnly,
        ["sasl.login.refresh.min.period.seconds"] = "The least seconds between two logins of the broker." + KeptOnly,
        ["socket.request.max.bytes"] = "The largest request, in bytes.",
        ["transaction.max.timeout.ms"] = "The longest transaction time-out, in milliseconds, that a producer may ask for.",
        ["transaction.state.log.min.isr"] = "The least in-sync replicas of __transaction_state.",
        ["transaction.state.log.num.partitions"] = "The partitions of __transaction_state.",
        ["transaction.state.log.replication.factor"] = "The replicas of __transaction_state.",
    }.ToFrozenDictionary();

    /// <summary>The documentation of a config; null for a name that none has.</summary>
    public static string? Of(string name)
    {
        if (Texts.TryGetValue(name, out string? text))
            return text;
        if (LogConfig.All.FirstOrDefault(d => d.Synonyms.Contains(name)) is { } topic)
        {
            string unit = name.EndsWith(".hours", StringComparison.Ordinal) ? ", in hours"
                : name.EndsWith(".minutes", StringComparison.Ordinal) ? ", in minutes"
                : "";
            return $"The broker's default of the topic config {topic.Name}{unit}. {Of(topic.Name)}";
        }

        if (name.Split('.') is ["group", _, "min" or "max", ..])
        {
            string config = name["group.".Length..].Replace(".min.", ".", StringComparison.Ordinal)
                .Replace(".max.", ".", StringComparison.Ordinal);
            string bound = name.Contains(".min.", StringComparison.Ordinal) ? "least" : "largest";
            return $"The {bound} value that a group may have of {config}.";
        }

        return name.StartsWith("group.", StringComparison.Ordinal) && Texts.TryGetValue(name["group.".Length..], out string? group)
            ? $"The default of the group config {name["group.".Length..]}. {group}"
            : null;
    }
}
