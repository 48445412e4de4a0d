using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.EventLog;

/// <summary>Compares a declaration with a cluster, and changes the cluster. Thread-safe.</summary>
public sealed class TopicProvisioner : IDisposable
{
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan ShowTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    private readonly IAdminClient _admin;
    private readonly KafkaConnection _connection;

    /// <summary>A provisioner of the cluster behind <paramref name="connection"/>.</summary>
    public TopicProvisioner(KafkaConnection connection)
    {
        _connection = connection;
        _admin = new AdminClientBuilder(connection.Admin()).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
    }

    /// <summary>What has to change.</summary>
    /// <exception cref="TimeoutException">The cluster cannot be reached.</exception>
    public async Task<TopicPlan> Plan(TopicDeclaration declaration, CancellationToken cancellationToken)
    {
        Dictionary<string, int> present = Present();
        cancellationToken.ThrowIfCancellationRequested();
        var missing = declaration.Topics.Where(t => !present.ContainsKey(t.Name)).ToList();
        var refused = declaration.Topics
            .Where(t => present.TryGetValue(t.Name, out int partitions) && partitions != t.Partitions)
            .Select(t => $"The topic {t.Name} has {present[t.Name]} partitions, {t.Partitions} are declared; a keyed topic keeps its count, because keys would move.")
            .ToList();
        var drifted = new List<(string, string, string?, string)>();
        TopicSpecification[] configured = [.. declaration.Topics.Where(t => present.ContainsKey(t.Name) && t.Configs.Count > 0)];
        if (configured.Length > 0)
        {
            List<DescribeConfigsResult> configs = await _admin.DescribeConfigsAsync(configured.Select(t => new ConfigResource { Type = ResourceType.Topic, Name = t.Name })).ConfigureAwait(false);
            foreach ((TopicSpecification topic, DescribeConfigsResult described) in configured.Zip(configs))
            {
                foreach ((string name, string declared) in topic.Configs)
                {
                    string? value = described.Entries.TryGetValue(name, out ConfigEntryResult? entry) ? entry.Value : null;
                    if (value != declared)
                        drifted.Add((topic.Name, name, value, declared));
                }
            }
        }

        return new TopicPlan(missing, drifted, refused);
    }

    /// <summary>Creates and sets what <paramref name="plan"/> says, and returns when the brokers show it. A topic that somebody else created meanwhile is left alone.</summary>
    /// <exception cref="InvalidInputException">The plan has refused differences, or the cluster refuses a topic; the message has its reason.</exception>
    /// <exception cref="TimeoutException">The cluster has taken the changes and does not show them.</exception>
    public async Task Apply(TopicPlan plan, CancellationToken cancellationToken)
    {
        if (plan.Refused.Count > 0)
            throw new InvalidInputException("topics", string.Join(Environment.NewLine, plan.Refused));
        cancellationToken.ThrowIfCancellationRequested();
        if (plan.Missing.Count > 0)
            await Create(plan.Missing).ConfigureAwait(false);
        if (plan.Drifted.Count > 0)
        {
            await _admin.IncrementalAlterConfigsAsync(plan.Drifted.GroupBy(d => d.Topic).ToDictionary(
                g => new ConfigResource { Type = ResourceType.Topic, Name = g.Key },
                g => g.Select(d => new ConfigEntry { Name = d.Config, Value = d.Declared, IncrementalOperation = AlterConfigOpType.Set }).ToList())).ConfigureAwait(false);
        }

        await Shown(plan, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => _admin.Dispose();

    private async Task Create(IReadOnlyList<TopicSpecification> topics)
    {
        try
        {
            await _admin.CreateTopicsAsync(topics.Select(t => new Confluent.Kafka.Admin.TopicSpecification
            {
                Name = t.Name,
                NumPartitions = t.Partitions,
                ReplicationFactor = t.ReplicationFactor,
                Configs = t.Configs.ToDictionary(),
            })).ConfigureAwait(false);
        }
        catch (CreateTopicsException failed)
        {
            CreateTopicReport[] refused = [.. failed.Results.Where(r => r.Error.IsError && r.Error.Code != ErrorCode.TopicAlreadyExists)];
            if (refused.Length > 0)
                throw new InvalidInputException("topics", string.Join(Environment.NewLine, refused.Select(r => $"The topic {r.Topic} cannot be created: {r.Error.Reason}")), failed);
        }
    }

    // A controller answers when a change is in its log; brokers follow. Until they do they deny a new topic to whoever asks, have no leaders for it, and tell old configs.
    private async Task Shown(TopicPlan plan, CancellationToken cancellationToken)
    {
        long started = TimeProvider.System.GetTimestamp();
        while (await Hidden(plan).ConfigureAwait(false) is { } hidden)
        {
            if (TimeProvider.System.GetElapsedTime(started) > ShowTimeout)
                throw new TimeoutException($"The cluster at {_connection.BootstrapServers} has taken a change and does not show it after {ShowTimeout.TotalSeconds} s: {hidden}");
            await Task.Delay(Look, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
    }

    // What is not to be seen yet; null: nothing.
    private async Task<string?> Hidden(TopicPlan plan)
    {
        if (plan.Missing.Count > 0)
        {
            Dictionary<string, TopicMetadata> topics = Topics().ToDictionary(t => t.Topic);
            foreach (TopicSpecification missing in plan.Missing)
            {
                if (!topics.TryGetValue(missing.Name, out TopicMetadata? topic) || topic.Error.IsError)
                    return $"the topic {missing.Name} is not there.";
                if (topic.Partitions.FirstOrDefault(p => p.Error.IsError || p.Leader < 0) is { } leaderless)
                    return $"partition {leaderless.PartitionId} of {missing.Name} has no leader.";
            }
        }

        string[] drifted = [.. plan.Drifted.Select(d => d.Topic).Distinct()];
        if (drifted.Length == 0)
            return null;
        List<DescribeConfigsResult> configs = await _admin.DescribeConfigsAsync(drifted.Select(t => new ConfigResource { Type = ResourceType.Topic, Name = t })).ConfigureAwait(false);
        Dictionary<string, DescribeConfigsResult> byTopic = configs.ToDictionary(c => c.ConfigResource.Name);
        foreach ((string topic, string config, _, string declared) in plan.Drifted)
        {
            if (byTopic[topic].Entries.GetValueOrDefault(config)?.Value != declared)
                return $"{config} of {topic} is not {declared}.";
        }

        return null;
    }

    private Dictionary<string, int> Present() => Topics().Where(t => !t.Error.IsError).ToDictionary(t => t.Topic, t => t.Partitions.Count);

    private List<TopicMetadata> Topics()
    {
        try
        {
            return _admin.GetMetadata(MetadataTimeout).Topics;
        }
        catch (KafkaException unreachable)
        {
            throw new TimeoutException($"No Kafka broker answers at {_connection.BootstrapServers}: {unreachable.Error.Reason}", unreachable);
        }
    }
}
