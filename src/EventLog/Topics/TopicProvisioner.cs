using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.EventLog;

/// <summary>Compares a declaration with a cluster, and changes the cluster. Thread-safe.</summary>
public sealed class TopicProvisioner : IDisposable
{
    private static readonly TimeSpan ShowTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    private readonly ClusterAdmin _admin;
    private readonly KafkaConnection _connection;

    /// <summary>A provisioner of the cluster behind <paramref name="connection"/>.</summary>
    public TopicProvisioner(KafkaConnection connection)
    {
        _connection = connection;
        _admin = new ClusterAdmin(connection);
    }

    /// <summary>What has to change.</summary>
    /// <exception cref="InvalidInputException">The cluster does not tell a topic's configs; the message has its reason.</exception>
    /// <exception cref="TimeoutException">The cluster cannot be reached.</exception>
    public async Task<TopicPlan> PlanAsync(TopicDeclaration declaration, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(declaration);
        Metadata cluster = await _admin.ReadMetadata(cancellationToken).ConfigureAwait(false);
        Dictionary<string, TopicMetadata> present = cluster.Topics.Where(t => !t.Error.IsError).ToDictionary(t => t.Topic);
        List<TopicSpecification> missing = await WithReplicas([.. declaration.Topics.Where(t => !present.ContainsKey(t.Name))], cluster,
            cancellationToken).ConfigureAwait(false);
        TopicSpecification[] there = [.. declaration.Topics.Where(t => present.ContainsKey(t.Name))];
        List<string> refused =
        [
            .. there.Where(t => present[t.Name].Partitions.Count != t.Partitions)
                .Select(t =>
                    $"The topic {t.Name} has {present[t.Name].Partitions.Count} partitions, {t.Partitions} are declared; a keyed topic "
                        + $"keeps its count, because keys would move."),
        ];
        List<(string, int, int)> replicas =
        [
            .. there.Where(t => t.ReplicationFactor != TopicReplication.Unsaid)
                .Select(t => (t.Name, Present: present[t.Name].Partitions.Min(p => p.Replicas.Length), Declared: (int)t.ReplicationFactor))
                .Where(t => t.Present != t.Declared),
        ];
        var drifted = new List<(string, string, string?, string)>();
        TopicSpecification[] configured = [.. there.Where(t => t.Configs.Count > 0)];
        IReadOnlyList<Dictionary<string, ConfigEntryResult>> configs = await Describe([.. configured.Select(t => t.Name)],
            cancellationToken).ConfigureAwait(false);
        foreach ((TopicSpecification topic, Dictionary<string, ConfigEntryResult> entries) in configured.Zip(configs))
        {
            foreach ((string name, string declared) in topic.Configs)
            {
                string? value = entries.GetValueOrDefault(name)?.Value;
                if (!ConfigValues.AreSame(name, value, declared))
                    drifted.Add((topic.Name, name, value, declared));
            }
        }

        return new TopicPlan(missing, drifted, refused) { Replicas = replicas };
    }

    /// <summary>
    /// What the topics of one aggregate type lack. Where some of them are there, the others get as many partitions as these have, and not
    /// <paramref name="partitions"/>: a key must lie on one number in all of them.
    /// </summary>
    /// <exception cref="TimeoutException">The cluster cannot be reached.</exception>
    public async Task<TopicPlan> PlanMissingAsync(
        TopicFamily family, int partitions, short replicationFactor, bool isProcess, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(family);
        Metadata cluster = await _admin.ReadMetadata(cancellationToken).ConfigureAwait(false);
        int present = family.Keyed(isProcess).Select(name =>
            cluster.Topics.Find(t => t.Topic == name && !t.Error.IsError)?.Partitions.Count ?? 0).FirstOrDefault(count => count > 0);
        TopicDeclaration declaration = TopicDeclaration.For(family, present > 0 ? present : partitions, replicationFactor, isProcess);
        return new TopicPlan(await WithReplicas([.. declaration.Topics.Where(d =>
            !cluster.Topics.Exists(t => t.Topic == d.Name && !t.Error.IsError))], cluster, cancellationToken).ConfigureAwait(false), [],
            []);
    }

    /// <summary>
    /// Creates and sets what <paramref name="plan"/> says, and returns when the brokers show it. All configs are checked before any is set.
    /// A topic that somebody else created meanwhile is left alone; a number of replicas is not changed, which takes a reassignment.
    /// </summary>
    /// <exception cref="InvalidInputException">The plan has refused differences, or the cluster refuses a topic or a config; the message
    /// has its reason.</exception>
    /// <exception cref="TimeoutException">The cluster does not answer, or has taken the changes and does not show them.</exception>
    public async Task ApplyAsync(TopicPlan plan, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (plan.Refused.Count > 0)
            throw new InvalidInputException("topics", string.Join(Environment.NewLine, plan.Refused));
        cancellationToken.ThrowIfCancellationRequested();
        if (plan.Drifted.Count > 0)
            await Set(plan.Drifted, validateOnly: true, cancellationToken).ConfigureAwait(false);
        if (plan.Missing.Count > 0)
            await Create(plan.Missing, cancellationToken).ConfigureAwait(false);
        if (plan.Drifted.Count > 0)
            await Set(plan.Drifted, validateOnly: false, cancellationToken).ConfigureAwait(false);
        await Shown(plan, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => _admin.Dispose();

    private async Task<List<TopicSpecification>> WithReplicas(
        IReadOnlyList<TopicSpecification> topics, Metadata cluster, CancellationToken cancellationToken)
    {
        if (!topics.Any(t => t.ReplicationFactor == TopicReplication.Unsaid))
            return [.. topics];
        ReplicationDefaults defaults = await _admin.Ask("tell its defaults",
            (admin, attempt) => TopicReplication.Defaults(admin, cluster, attempt), cancellationToken).ConfigureAwait(false);
        return [.. topics.Select(t => t.WithReplicas(cluster.Brokers.Count, defaults))];
    }

    private async Task Create(IReadOnlyList<TopicSpecification> topics, CancellationToken cancellationToken)
    {
        await _admin.Ask(
            $"create {string.Join(", ", topics.Select(t => t.Name))}",
            async (admin, attempt) =>
            {
                try
                {
                    await admin.CreateTopicsAsync(
                        topics.Select(t =>
                            new Confluent.Kafka.Admin.TopicSpecification
                            {
                                Name = t.Name,
                                NumPartitions = t.Partitions,
                                ReplicationFactor = t.ReplicationFactor,
                                Configs = t.Configs.ToDictionary(),
                            }),
                        new CreateTopicsOptions { RequestTimeout = attempt, OperationTimeout = attempt }).ConfigureAwait(false);
                }
                catch (CreateTopicsException failed)
                {
                    // What was tried before may have come through.
                    CreateTopicReport[] refused = [
                        .. failed.Results.Where(r => r.Error.IsError && r.Error.Code != ErrorCode.TopicAlreadyExists)];
                    CreateTopicReport[] final = [.. refused.Where(r => !KafkaPatience.IsPassing(r.Error))];
                    if (final.Length > 0)
                        throw new InvalidInputException("topics",
                            string.Join(Environment.NewLine,
                                final.Select(r => $"The topic {r.Topic} cannot be created{Of(topics, r.Topic)}: {r.Error.Reason}")),
                                failed);
                    if (refused.Length > 0)
                        throw new KafkaException(refused[0].Error, failed);
                }

                return true;
            },
            cancellationToken).ConfigureAwait(false);

        static string Of(IReadOnlyList<TopicSpecification> topics, string name)
        {
            TopicSpecification topic = topics.First(t => t.Name == name);
            string replicas = topic.ReplicationFactor == TopicReplication.Unsaid
                ? ""
                : string.Create(CultureInfo.InvariantCulture, $", {topic.ReplicationFactor} replicas");
            return string.Create(CultureInfo.InvariantCulture,
                $" ({topic.Partitions} partitions{replicas}{string.Concat(topic.Configs.Select(c => $", {c.Key}={c.Value}"))})");
        }
    }

    private Task Set(IReadOnlyList<(string Topic, string Config, string? Present, string Declared)> drifted, bool validateOnly,
        CancellationToken cancellationToken) => _admin.Ask(
        $"set configs of {string.Join(", ", drifted.Select(d => d.Topic).Distinct())}",
        async (admin, attempt) =>
        {
            try
            {
                await admin.IncrementalAlterConfigsAsync(
                    drifted.GroupBy(d => d.Topic).ToDictionary(
                        g => new ConfigResource { Type = ResourceType.Topic, Name = g.Key },
                        g =>
                            g.Select(d =>
                                new ConfigEntry { Name = d.Config, Value = d.Declared, IncrementalOperation = AlterConfigOpType.Set })
                                .ToList()),
                    new IncrementalAlterConfigsOptions { RequestTimeout = attempt, ValidateOnly = validateOnly }).ConfigureAwait(false);
            }
            catch (IncrementalAlterConfigsException failed)
            {
                IncrementalAlterConfigsReport[] refused = [.. failed.Results.Where(r => r.Error.IsError)];
                if (refused.FirstOrDefault(r => KafkaPatience.IsPassing(r.Error)) is { } passing)
                    throw new KafkaException(passing.Error, failed);
                throw new InvalidInputException("topics", string.Join(Environment.NewLine, refused.Select(r =>
                    $"The topic {r.ConfigResource.Name} cannot "
                        + $"have {Named(drifted, r.ConfigResource.Name, r.Error.Reason)}: {r.Error.Reason}")), failed);
            }

            return true;
        },
        cancellationToken);

    // Of several configs Kafka's reason names the one that it means.
    private static string Named(IReadOnlyList<(string Topic, string Config, string? Present, string Declared)> drifted, string topic,
        string reason)
    {
        (string Topic, string Config, string? Present, string Declared)[] all = [.. drifted.Where(d => d.Topic == topic)];
        (string Topic, string Config, string? Present, string Declared)[] named =
            [.. all.Where(d => reason.Contains(d.Config, StringComparison.Ordinal))];
        return string.Join(", ", (named.Length > 0 ? named : all).Select(d => $"{d.Config}={d.Declared}"));
    }

    // A controller answers when a change is in its log; brokers follow. Until they do they deny a new topic to whoever asks, have no
    // leaders for it, and tell old configs.
    private async Task Shown(TopicPlan plan, CancellationToken cancellationToken)
    {
        long started = TimeProvider.System.GetTimestamp();
        while (await Hidden(plan, cancellationToken).ConfigureAwait(false) is { } hidden)
        {
            if (TimeProvider.System.GetElapsedTime(started) > ShowTimeout)
                throw new TimeoutException($"The cluster at {_connection.BootstrapServers} has taken a change and does not show it "
                    + $"after {ShowTimeout.TotalSeconds} s: {hidden}");
            await Task.Delay(Look, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
    }

    // What is not to be seen yet; null: nothing.
    private async Task<string?> Hidden(TopicPlan plan, CancellationToken cancellationToken)
    {
        if (plan.Missing.Count > 0)
        {
            Dictionary<string, TopicMetadata> topics = (await _admin.ReadMetadata(cancellationToken).ConfigureAwait(false)).Topics
                .ToDictionary(t => t.Topic);
            foreach (TopicSpecification missing in plan.Missing)
            {
                if (!topics.TryGetValue(missing.Name, out TopicMetadata? topic) || topic.Error.IsError)
                    return $"the topic {missing.Name} is not there.";
                if (topic.Partitions.FirstOrDefault(p => p.Error.IsError || p.Leader < 0) is { } leaderless)
                    return $"partition {leaderless.PartitionId} of {missing.Name} has no leader.";
            }
        }

        string[] drifted = [.. plan.Drifted.Select(d => d.Topic).Distinct()];
        Dictionary<string, Dictionary<string, ConfigEntryResult>> byTopic = drifted.Zip(
            await Describe(drifted, cancellationToken).ConfigureAwait(false)).ToDictionary(c => c.First, c => c.Second);
        foreach ((string topic, string config, _, string declared) in plan.Drifted)
        {
            if (byTopic[topic].GetValueOrDefault(config)?.Value is var value && !ConfigValues.AreSame(config, value, declared))
                return $"{config} of {topic} is {value ?? "nothing"}, and not {declared}.";
        }

        return null;
    }

    private async Task<IReadOnlyList<Dictionary<string, ConfigEntryResult>>> Describe(
        IReadOnlyList<string> topics, CancellationToken cancellationToken) => topics.Count == 0
        ? []
        : await _admin.Ask<IReadOnlyList<Dictionary<string, ConfigEntryResult>>>(
            $"tell the configs of {string.Join(", ", topics)}",
            async (admin, attempt) =>
            {
                try
                {
                    List<DescribeConfigsResult> told = await admin.DescribeConfigsAsync(
                        topics.Select(t => new ConfigResource { Type = ResourceType.Topic, Name = t }),
                        new DescribeConfigsOptions { RequestTimeout = attempt }).ConfigureAwait(false);
                    Dictionary<string, Dictionary<string, ConfigEntryResult>> byTopic = told.ToDictionary(t => t.ConfigResource.Name,
                        t => t.Entries);
                    return [.. topics.Select(t => byTopic[t])];
                }
                catch (DescribeConfigsException failed)
                {
                    DescribeConfigsReport[] refused = [.. failed.Results.Where(r => r.Error.IsError)];
                    if (refused.FirstOrDefault(r => KafkaPatience.IsPassing(r.Error)) is { } passing)
                        throw new KafkaException(passing.Error, failed);
                    throw new InvalidInputException("topics",
                        string.Join(Environment.NewLine,
                            refused.Select(r => $"The configs of the topic {r.ConfigResource.Name} cannot be read: {r.Error.Reason}")),
                            failed);
                }
            },
            cancellationToken).ConfigureAwait(false);
}
