using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Looks at the topics of one aggregate type: at start, and every minute as long as it lives. What is not as it must be is logged as an
/// error when it is first seen, what is weaker as a warning; both are in <see cref="Status"/> and in the metric <c>kes_topic_findings</c>.
/// Thread-safe.
/// </summary>
public sealed partial class TopicFamilyWatch : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Doubt = TimeSpan.FromSeconds(5);
    private static readonly Meter Meter = new("KafkaEventSourcing.EventLog");
    private static readonly ConcurrentDictionary<(string Application, string Aggregate), TopicFamilyWatch> Watching = [];

    private readonly ClusterAdmin _admin;
    private readonly TopicFamily _family;
    private readonly TopicRules _rules;
    private readonly bool _isProcess;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _looking = new(1, 1);
    private readonly ITimer _timer;
    private volatile TopicStatus _status = new([]);
    private int? _partitions; // of the command topic, when the watch began
    private TimeSpan? _offsetsRetention; // as a broker told last
    private bool _isAway;

    static TopicFamilyWatch() => Meter.CreateObservableGauge(
        "kes_topic_findings", Measure, "{finding}", "Topics that are not as they must or should be, by risk: weaker, losesdata, unusable.");

    private TopicFamilyWatch(KafkaConnection connection, TopicFamily family, bool isProcess, TimeProvider time, ILogger logger)
    {
        (_family, _isProcess, _logger) = (family, isProcess, logger);
        _admin = new ClusterAdmin(connection);
        _rules = new TopicRules(family, isProcess);
        _timer = time.CreateTimer(static watch => _ = ((TopicFamilyWatch)watch!).LookAgain(), this, Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan);
    }

    /// <summary>What was seen last.</summary>
    public TopicStatus Status => _status;

    /// <summary>Looks at the topics of <paramref name="family"/>, and begins to watch them.</summary>
    /// <param name="connection">The cluster.</param>
    /// <param name="family">The topics.</param>
    /// <param name="isProcess">Whether it is a process, which has timers.</param>
    /// <param name="acceptsLoss">Whether to go on though a topic loses data; it is logged and told all the same.</param>
    /// <param name="timeProvider">The clock of the watch.</param>
    /// <param name="logger">Where findings go.</param>
    /// <param name="cancellationToken">Ends the first look.</param>
    /// <exception cref="InvalidInputException">A topic cannot be worked on, or loses data; the message names it, what is wrong, and what
    /// mends it.</exception>
    /// <exception cref="TimeoutException">The cluster cannot be reached.</exception>
    public static async Task<TopicFamilyWatch> StartAsync(
        KafkaConnection connection, TopicFamily family, bool isProcess, bool acceptsLoss, TimeProvider timeProvider, ILogger logger,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(family);
        ArgumentNullException.ThrowIfNull(timeProvider);
        ArgumentNullException.ThrowIfNull(logger);
        var watch = new TopicFamilyWatch(connection, family, isProcess, timeProvider, logger);
        try
        {
            TopicFamilyState state = await watch.Read(cancellationToken).ConfigureAwait(false);
            TopicStatus status = new(watch._rules.Check(state, started: null));
            if (!status.IsUsable || (!status.IsSafe && !acceptsLoss))
                throw new InvalidInputException("topics", Refusal(status));
            watch._partitions = state.Topics.First(t => t.Name == family.Commands).Partitions;
            watch.Take(status);
            Watching[(family.Application, family.Aggregate)] = watch;
            watch._timer.Change(Interval, Interval);
            return watch;
        }
        catch
        {
            await watch.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Looks now, and returns what is seen.</summary>
    /// <exception cref="TimeoutException">The cluster cannot be reached; <see cref="Status"/> stays what it was.</exception>
    public async Task<TopicStatus> LookAsync(CancellationToken cancellationToken = default)
    {
        await _looking.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            Take(new TopicStatus(_rules.Check(await Read(cancellationToken).ConfigureAwait(false), _partitions)));
            return _status;
        }
        finally
        {
            _looking.Release();
        }
    }

    /// <summary>Ends the watch.</summary>
    public async ValueTask DisposeAsync()
    {
        Watching.TryRemove(new((_family.Application, _family.Aggregate), this));
        await _timer.DisposeAsync().ConfigureAwait(false);
        await _stop.CancelAsync().ConfigureAwait(false);
        await _looking.WaitAsync().ConfigureAwait(false); // a look that is under way sees the cancellation
        _looking.Dispose();
        _admin.Dispose();
        _stop.Dispose();
    }

    private static string Refusal(TopicStatus status)
    {
        string mend = status.IsUsable
            ? "'kes topics plan' shows what differs from a declaration, and 'kes topics apply' sets it. To serve all the same, and lose "
                + "data: --accept-data-loss."
            : "Keyed topics keep their partition count: make the wrong one anew with the right count, and copy what is in it.";
        return string.Join(Environment.NewLine, ["The topics cannot be worked on as they are.",
            .. status.Findings.Where(f => f.Risk != TopicRisk.Weaker).Select(f => f.ToString()), mend]);
    }

    private static IEnumerable<Measurement<int>> Measure() =>
        Watching.SelectMany(w => Enum.GetValues<TopicRisk>().Select(risk => new Measurement<int>(
        w.Value.Status.Of(risk).Count(), new("application", w.Key.Application), new("aggregate", w.Key.Aggregate),
        new("risk", risk.ToString().ToLowerInvariant()))));

    private async Task LookAgain()
    {
        if (_looking.CurrentCount == 0)
            return; // the look before has not ended
        try
        {
            await LookAsync(_stop.Token).ConfigureAwait(false);
            _isAway = false;
        }
        catch (Exception ended) when (ended is OperationCanceledException or ObjectDisposedException)
        {
            // The watch has ended.
        }
        catch (Exception away)
        {
            if (!_isAway)
                LogNotSeen(away, _family.Application, _family.Aggregate);
            _isAway = true;
        }
    }

    private void Take(TopicStatus status)
    {
        IReadOnlyList<TopicFinding> before = _status.Findings;
        _status = status;
        foreach (TopicFinding finding in status.Findings.Except(before))
        {
            if (finding.Risk == TopicRisk.Weaker)
                LogWeaker(finding);
            else
                LogWrong(finding);
        }

        foreach (TopicFinding mended in before.Except(status.Findings))
            LogMended(mended.Topic, mended.Setting, mended.Found);
    }

    private async Task<TopicFamilyState> Read(CancellationToken cancellationToken)
    {
        var found = new List<TopicMetadata>();
        Metadata cluster = null!;
        var left = new KafkaPatience(Doubt, TimeProvider.System);
        foreach (string name in _family.All(_isProcess))
        {
            // A broker that has just started, or has not heard of a new topic yet, denies what there is.
            while ((cluster = await _admin.ReadMetadata(name, cancellationToken).ConfigureAwait(false)).Topics[0].Error
                is { IsError: true } error && left.Outlasts(error))
                await left.WaitAsync(cancellationToken).ConfigureAwait(false);
            found.Add(cluster.Topics[0]);
        }

        Dictionary<string, IReadOnlyDictionary<string, string>> configs = await Configs(
            [.. found.Where(t => !t.Error.IsError).Select(t => t.Topic)], cancellationToken).ConfigureAwait(false);
        TopicState[] topics = [.. found.Select(t => t.Error.IsError
            ? new TopicState(t.Topic, 0, 0, new Dictionary<string, string>()) { Error = t.Error.Reason }
            : new TopicState(t.Topic, t.Partitions.Count, t.Partitions.Min(p => p.Replicas.Length),
                configs.GetValueOrDefault(t.Topic) ?? new Dictionary<string, string>()))];
        IReadOnlyDictionary<string, string> brokers = await _admin.Ask("tell its configs",
            (admin, attempt) => BrokerConfigs.Read(admin, cluster, attempt), cancellationToken).ConfigureAwait(false);
        if (int.TryParse(brokers.GetValueOrDefault(TopicRules.OffsetsRetentionMinutes), NumberStyles.Integer, CultureInfo.InvariantCulture,
            out int minutes))
            _offsetsRetention = TimeSpan.FromMinutes(minutes);
        return new TopicFamilyState(topics, cluster.Brokers.Count, _offsetsRetention);
    }

    // A cluster that does not let this client read configs is not watched by them.
    private async Task<Dictionary<string, IReadOnlyDictionary<string, string>>> Configs(string[] names, CancellationToken cancellationToken)
    {
        if (names.Length == 0)
            return [];
        return await _admin.Ask<Dictionary<string, IReadOnlyDictionary<string, string>>>(
            $"tell the configs of {string.Join(", ", names)}",
            async (admin, attempt) =>
            {
                try
                {
                    List<DescribeConfigsResult> told = await admin.DescribeConfigsAsync(
                        names.Select(n => new ConfigResource { Type = ResourceType.Topic, Name = n }),
                        new DescribeConfigsOptions { RequestTimeout = attempt }).ConfigureAwait(false);
                    return told.ToDictionary(t => t.ConfigResource.Name, t => Values(t.Entries));
                }
                catch (DescribeConfigsException failed)
                {
                    return failed.Results.Find(r => KafkaPatience.IsPassing(r.Error)) is { } passing
                        ? throw new KafkaException(passing.Error, failed)
                        : failed.Results.Where(r => !r.Error.IsError).ToDictionary(r => r.ConfigResource.Name, r => Values(r.Entries));
                }
                catch (KafkaException refused) when (!KafkaPatience.IsPassing(refused.Error))
                {
                    return [];
                }
            },
            cancellationToken).ConfigureAwait(false);

        static IReadOnlyDictionary<string, string> Values(Dictionary<string, ConfigEntryResult> entries) =>
            entries.Values.Where(e => e.Value is not null).ToDictionary(e => e.Name, e => e.Value);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A topic is not as it must be. {Finding}")]
    private partial void LogWrong(TopicFinding finding);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A topic is weaker than it should be. {Finding}")]
    private partial void LogWeaker(TopicFinding finding);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Topic}: {Setting} is not {Found} any more, or is no longer looked at")]
    private partial void LogMended(string topic, string setting, string found);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The topics of {Application}.{Aggregate} cannot be looked at now; it is tried again every minute")]
    private partial void LogNotSeen(Exception away, string application, string aggregate);
}
