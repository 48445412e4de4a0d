using System.Collections.Concurrent;
using System.Globalization;
using KafkaEventSourcing.Chaos.Cluster;
using KafkaEventSourcing.Chaos.Faults;
using KafkaEventSourcing.Chaos.Load;
using KafkaEventSourcing.Chaos.Verdict;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Streamiz;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos;

/// <summary>
/// One run: load and faults for a while, then rest, then the verdict. Its aggregates have ids of their own, so that many runs can follow
/// one another on one cluster.
/// </summary>
internal sealed class ChaosRun
{
    private const int SideBySide = 64;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly ChaosCluster _cluster;
    private readonly DomainUnderTest _domain;
    private readonly ChaosOptions _options;
    private readonly EntryPoints _entryPoints;
    private readonly TimeProvider _time;
    private readonly string _run;
    private readonly List<ChaosViolation> _violations = [];
    private readonly ConcurrentDictionary<AggregateId, bool> _settled = [];
    private readonly WorkloadRunner _workload;
    private bool _isReady = true;
    private long _loadEnded;
    private EventStreamsReport? _streams;
    private readonly FaultInjector _injector;

    public ChaosRun(ChaosCluster cluster, DomainUnderTest domain, Workload workload, ChaosOptions options, EntryPoints entryPoints,
        TimeProvider time)
    {
        (_cluster, _domain, _options, _entryPoints, _time) = (cluster, domain, options, entryPoints, time);
        _run = options.RunName;
        _workload = new WorkloadRunner(cluster, domain, workload, options, _run, entryPoints.Topics, time);
        _injector = new FaultInjector(cluster, options, time);
    }

    /// <summary>Runs it, and adds what it saw to <paramref name="figures"/>.</summary>
    public async Task<ChaosResult> Run(ChaosFigures figures, CancellationToken cancellationToken)
    {
        Dictionary<string, IReadOnlyDictionary<int, long>> starts = [];
        foreach (AggregateDefinition aggregate in _domain.Aggregates)
            starts[aggregate.Name] = await _entryPoints.Logs[aggregate.Name].EndOffsetsAsync(cancellationToken).ConfigureAwait(false);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task calling = _workload.Run(enough.Token, stop.Token);
        try
        {
            Task faults = _injector.Run(FaultPlan.Of(_options), cancellationToken);
            await Task.Delay(_options.Duration, _time, cancellationToken).ConfigureAwait(false);
            await faults.ConfigureAwait(false);
            await Task.WhenAny(_workload.Made, calling).WaitAsync(cancellationToken).ConfigureAwait(false);
            await enough.CancelAsync().ConfigureAwait(false);
            _loadEnded = _time.GetTimestamp();
            await ComeToRest(calling, stop, cancellationToken).ConfigureAwait(false);
            ChaosResult result = await Check(starts, cancellationToken).ConfigureAwait(false);
            Count(result, figures);
            return result;
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await enough.CancelAsync().ConfigureAwait(false);
            await calling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ComeToRest(Task calling, CancellationTokenSource stop, CancellationToken cancellationToken)
    {
        await _injector.MendAll(cancellationToken).ConfigureAwait(false);
        _isReady = await _cluster.BecomesReady(_options.Patience, cancellationToken).ConfigureAwait(false);
        if (!_isReady)
            _violations.Add(new ChaosViolation("not ready",
                $"{_options.Patience.TotalSeconds:0} s after the last fault not all nodes serve."));
        if (await Task.WhenAny(calling, Task.Delay(_options.Patience, _time, cancellationToken)).ConfigureAwait(false) != calling)
            _violations.Add(new ChaosViolation("not answered",
                $"{_options.Patience.TotalSeconds:0} s after the last fault there are commands that have no outcome: {OpenCommands()}"));
        await stop.CancelAsync().ConfigureAwait(false);
        await calling.ConfigureAwait(false);
        if (_violations.Count > 0)
            return;
        await Settle(cancellationToken).ConfigureAwait(false);
        await _workload.ReadAll(cancellationToken).ConfigureAwait(false);
        if (_entryPoints.Streams is { } streams)
            await Compare(streams, cancellationToken).ConfigureAwait(false);
    }

    // All is at rest: what the streams have made of the events of all runs so far is what the events give, and nothing is there twice.
    private async Task Compare(EventStreamsReader streams, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(_options.Patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            await streams.WaitUntilReadAsync(_time, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            _violations.Add(new ChaosViolation("streams behind",
                $"{_options.Patience.TotalSeconds:0} s after all was at rest the event streams have not read all events"));
            return;
        }

        _streams = await new EventStreamsVerifier(streams).RunAsync(cancellationToken).ConfigureAwait(false);
        if (!_streams.IsConsistent)
            _violations.Add(new ChaosViolation("streams",
                $"{_streams.DifferenceCount} differences, such as {string.Join(Environment.NewLine, _streams.Differences)}"));
        if (_streams.Repeats > 0)
            _violations.Add(new ChaosViolation("streams", $"{_streams.Repeats} events are in the topics of their types again"));
    }

    // Whatever commands have caused comes to its end: nothing is written any more.
    private async Task Settle(CancellationToken cancellationToken)
    {
        long started = _time.GetTimestamp();
        using var timer = new PeriodicTimer(Look, _time);
        (long End, int Open) before = (-1, 0);
        int still = 0;
        const int enough = 3;
        while (still < enough)
        {
            if (still == 0 && before.End >= 0 && _time.GetElapsedTime(started) > _options.Patience)
            {
                _violations.Add(new ChaosViolation("not settled",
                    $"{_options.Patience.TotalSeconds:0} s after all was answered {before.Open} processes have not come to their end, or "
                        + $"events are still written: {string.Join(", ", Unsettled.Select(a => a.Key).Take(5))}"));
                return;
            }

            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
            long end = 0;
            foreach (HistoryReader log in _entryPoints.Logs.Values)
                end += (await log.EndOffsetsAsync(cancellationToken).ConfigureAwait(false)).Values.Sum();
            int open = await OpenProcesses(cancellationToken).ConfigureAwait(false);
            still = open == 0 && (end, open) == before ? still + 1 : 0;
            before = (end, open);
        }
    }

    // Processes that are not known to have come to their end.
    private IEnumerable<KeyValuePair<AggregateId, AggregateDefinition>> Unsettled =>
        _workload.Aggregates.Where(a => a.Value.Reacts && !_settled.ContainsKey(a.Key));

    // There may be as many as commands: they are asked for side by side.
    private async Task<int> OpenProcesses(CancellationToken cancellationToken)
    {
        if (_domain.IsSettled is not { } isSettled)
            return 0;
        List<(AggregateId Id, AggregateDefinition Aggregate, ChaosNode Node)> asked =
            [.. Unsettled.Select((a, n) => (a.Key, a.Value, _cluster.Nodes[n % _cluster.Nodes.Count]))];
        int open = 0;
        await Parallel.ForEachAsync(asked,
            new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = cancellationToken }, async (one, stopping) =>
        {
            (bool isAnswered, AggregateView? view) = await _workload.Read(one.Node, one.Aggregate, one.Id, ReadConsistency.Strong,
                "at rest", stopping).ConfigureAwait(false);
            if (isAnswered && (view is null || isSettled(view.State)))
                _settled[one.Id] = true;
            else
                Interlocked.Increment(ref open);
        }).ConfigureAwait(false);
        return open;
    }

    private async Task<ChaosResult> Check(Dictionary<string, IReadOnlyDictionary<int, long>> starts, CancellationToken cancellationToken)
    {
        var verdicts = new Dictionary<string, HistoryVerdict>();
        var finals = new Dictionary<string, IReadOnlyCollection<FinalState>>();
        var calls = new Dictionary<string, IReadOnlyList<RecordedCall>>();
        var events = new Dictionary<string, IReadOnlyList<RecordedEvent>>();
        var options = new HistoryCheckerOptions { RefusalsAreRemembered = false, TimestampFrequency = _time.TimestampFrequency };
        foreach (AggregateDefinition aggregate in _domain.Aggregates)
        {
            calls[aggregate.Name] = _workload.Histories[aggregate.Name].Take();
            events[aggregate.Name] = await ReadEvents(aggregate, starts[aggregate.Name], cancellationToken).ConfigureAwait(false);
            IReadOnlyCollection<FinalState> last = [];
            var checker = new HistoryChecker(aggregate, options, new HistoryInvariant("final states", states =>
            {
                last = states;
                return null;
            }));
            HistoryVerdict verdict = checker.Check(events[aggregate.Name], calls[aggregate.Name]);
            (verdicts[aggregate.Name], finals[aggregate.Name]) = (verdict, last);
            if (verdict.Violation is { } violation)
                _violations.Insert(0, new ChaosViolation($"{aggregate.Name} history", violation.ToString()));
        }

        if (_violations.Count == 0 && _domain.WhatIsWrong is { } whatIsWrong)
        {
            var sent = calls.Values.SelectMany(c => c).Where(c => c.Command is not null).Select(c => c.Command!.CommandId).ToHashSet();
            if (whatIsWrong(finals, sent) is { } wrong)
                _violations.Add(new ChaosViolation("final states", wrong));
        }

        foreach ((string answer, int times) in _workload.Unexpected)
            _violations.Add(new ChaosViolation("unexpected answer", $"{answer} ({times} times)"));
        return new ChaosResult
        {
            Seed = _options.Seed,
            Violations = _violations,
            Verdicts = verdicts,
            Faults = _injector.Done,
            Calls = calls,
            Events = events,
        };
    }

    private async Task<List<RecordedEvent>> ReadEvents(
        AggregateDefinition aggregate, IReadOnlyDictionary<int, long> starts, CancellationToken cancellationToken)
    {
        var events = new List<RecordedEvent>();
        foreach ((int partition, long start) in starts.OrderBy(s => s.Key))
        {
            await foreach (RecordedEvent recorded in _entryPoints.Logs[aggregate.Name].ReadPartitionAsync(partition, start,
                cancellationToken).ConfigureAwait(false))
            {
                if (recorded.AggregateId.Value.StartsWith($"{_run}-", StringComparison.Ordinal))
                    events.Add(recorded);
            }
        }

        return events;
    }

    private string OpenCommands()
    {
        HashSet<CommandId> told = [];
        List<RecordedCall> all = [.. _workload.Histories.Values.SelectMany(h => h.Take()).Where(c => c.Command is not null)];
        foreach (RecordedCall call in all.Where(c => c.Answer is CallAnswer.Told { Result: not CommandResult.Faulted }))
            told.Add(call.Command!.CommandId);
        return string.Join(", ", all.Where(c => !told.Contains(c.Command!.CommandId)).DistinctBy(c => c.Command!.CommandId).Select(c =>
            $"{c.Command!.CommandId} to {c.AggregateId}").Take(5));
    }

    private void Count(ChaosResult result, ChaosFigures figures)
    {
        figures.Runs++;
        if (result.Violations.Count > 0)
            figures.Violations++;
        if (!_isReady)
            figures.NotReady++;
        IReadOnlyList<RecordedCall> all = [.. result.Calls.Values.SelectMany(c => c)];
        foreach (HistoryVerdict verdict in result.Verdicts.Values)
        {
            figures.Sendings += verdict.Commands;
            figures.Commands += verdict.Commands - verdict.SentAgain;
            figures.Conflicts += verdict.Conflicts;
            figures.Rejections += verdict.Rejections;
            figures.Unknown += verdict.UnknownOutcomes;
            figures.StrongReads += verdict.Reads;
            figures.Events += verdict.Events;
            figures.Aggregates += verdict.Aggregates;
        }

        figures.StreamSnapshots += _streams?.Snapshots ?? 0;
        figures.TypedEvents += _streams?.TypedEvents ?? 0;
        figures.EventualReads += all.Count(c => c.Consistency == ReadConsistency.Eventual && c.Answer is CallAnswer.Seen);
        figures.SentTwice += _workload.SentTwice;
        figures.Took(_workload.CommandLatency, _workload.ReadLatency);
        figures.Count(result.Faults);
        foreach ((FaultKind kind, TimeSpan time) in StallDurations.Of(result.Faults, all, _loadEnded, _time.TimestampFrequency))
            figures.HeldUp(kind, time);
    }
}
