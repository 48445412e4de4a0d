using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.EventLog;

/// <summary>Compares a declaration with a cluster, and changes the cluster. Thread-safe.</summary>
public sealed class TopicProvisioner : IDisposable
{
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(15);

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

    /// <summary>Creates and sets what <paramref name="plan"/> says. A topic that somebody else created meanwhile is left alone.</summary>
    /// <exception cref="InvalidInputException">The plan has refused differences, or the cluster refuses a topic; the message has its reason.</exception>
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

    private Dictionary<string, int> Present()
    {
        try
        {
            return _admin.GetMetadata(MetadataTimeout).Topics.Where(t => !t.Error.IsError).ToDictionary(t => t.Topic, t => t.Partitions.Count);
        }
        catch (KafkaException unreachable)
        {
            throw new TimeoutException($"No Kafka broker answers at {_connection.BootstrapServers}: {unreachable.Error.Reason}", unreachable);
        }
    }
}
