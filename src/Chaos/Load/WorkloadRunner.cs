using System.Collections.Concurrent;
using System.Globalization;
using KafkaEventSourcing.Chaos.Cluster;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Load;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Load;

/// <summary>
/// Concurrent callers that send a workload at both entry points of all nodes and read what came of it, as the documentation asks callers
/// to: what has no outcome is sent again under its id until it has one. Everything is recorded. What is sent follows from the seed; when,
/// from how long the answers take.
/// </summary>
internal sealed class WorkloadRunner
{
    private const int ReadPercent = 30;
    private const int EventualPercent = 25;
    private const int TwicePercent = 12;
    private const int TopicPercent = 35;
    private const int ExpectingPercent = 35;
    private static readonly TimeSpan BeforeNextTry = TimeSpan.FromMilliseconds(50);

    private readonly ChaosCluster _cluster;
    private readonly Workload _workload;
    private readonly ChaosOptions _options;
    private readonly string _run;
    private readonly IReadOnlyDictionary<string, CommandClient> _topics;
    private readonly TimeProvider _time;
    private readonly InFlightAggregates _window = new();
    private readonly ConcurrentDictionary<AggregateId, long> _seen = [];
    private readonly ConcurrentDictionary<string, int> _unexpected = [];
    private readonly ConcurrentDictionary<AggregateId, AggregateDefinition> _created = [];
    private readonly TaskCompletionSource _made = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _calls;
    private int _sentTwice;

    /// <summary>Callers whose aggregates have ids that begin with <paramref name="run"/>.</summary>
    public WorkloadRunner(
        ChaosCluster cluster, DomainUnderTest domain, Workload workload, ChaosOptions options, string run,
        IReadOnlyDictionary<string, CommandClient> topics, TimeProvider time)
    {
        (_cluster, _workload, _options, _run, _topics, _time) = (cluster, workload, options, run, topics, time);
        if (options.Calls == 0)
            _made.SetResult();
        Histories = domain.Aggregates.ToDictionary(a => a.Name, _ => new CallHistory(time));
    }

    /// <summary>Completes when as many calls were made as the options want.</summary>
    public Task Made => _made.Task;

    /// <summary>What happened, per aggregate type.</summary>
    public IReadOnlyDictionary<string, CallHistory> Histories { get; }

    /// <summary>From the first sending of a command to its outcome.</summary>
    public LatencyHistogram CommandLatency { get; } = new();

    /// <summary>Of strong reads that were answered at once.</summary>
    public LatencyHistogram ReadLatency { get; } = new();

    /// <summary>Commands that were sent twice at a time on purpose.</summary>
    public int SentTwice => _sentTwice;

    /// <summary>Answers that faults do not excuse, with how often they came.</summary>
    public IReadOnlyDictionary<string, int> Unexpected => _unexpected;

    /// <summary>The aggregates that took commands.</summary>
    public IReadOnlyDictionary<AggregateId, AggregateDefinition> Aggregates => _created;

    /// <summary>Calls until <paramref name="enough"/>, and then until all that is open has its outcome.</summary>
    /// <param name="enough">No new calls from then on.</param>
    /// <param name="stop">Nothing is waited for any more.</param>
    /// <returns>Once all is answered, or <paramref name="stop"/> says so: the commands without outcome are in the histories then.</returns>
    public Task Run(CancellationToken enough, CancellationToken stop) =>
        Task.WhenAll(Enumerable.Range(0, _options.Callers).Select(n => Task.Run(() => Call(n, enough, stop), CancellationToken.None)));

    /// <summary>Reads each aggregate strongly at each node, when all has come to rest.</summary>
    public async Task ReadAll(CancellationToken cancellationToken)
    {
        foreach ((AggregateId id, AggregateDefinition aggregate) in _created.Where(a => _workload.Lasting.ContainsKey(a.Value.Name)))
        {
            foreach (ChaosNode node in _cluster.Nodes)
                await Read(node, aggregate, id, ReadConsistency.Strong, "at rest", cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads an aggregate, once.</summary>
    /// <returns>Whether there was an answer, and what it showed; null: the aggregate has no events.</returns>
    public async Task<(bool IsAnswered, AggregateView? View)> Read(ChaosNode node, AggregateDefinition aggregate, AggregateId id,
        ReadConsistency consistency, string caller, CancellationToken cancellationToken)
    {
        if (node.Http is not { } http)
            return (false, null);
        long started = _time.GetTimestamp();
        try
        {
            IAggregateReader reader = new HttpCommandClient(http, aggregate);
            AggregateView? view = await Histories[aggregate.Name].Record(reader, $"{caller} at {node.Name}").ReadAsync(id, consistency,
                cancellationToken).ConfigureAwait(false);
            if (consistency == ReadConsistency.Strong)
            {
                ReadLatency.Record(_time.GetElapsedTime(started));
                if (view is not null)
                    _seen[id] = view.Version;
            }

            return (true, view);
        }
        catch (Exception failure) when (IsExpected(failure, cancellationToken))
        {
            Note(failure);
            return (false, null);
        }
    }

    private async Task Call(int number, CancellationToken enough, CancellationToken stop)
    {
        var random = new SeededRandom(_options.Seed, number + 1);
        string caller = string.Create(CultureInfo.InvariantCulture, $"caller {number}");
        for (int call = 0; !enough.IsCancellationRequested; call++)
        {
            CommandTemplate template = _workload.Draw(random);
            AggregateId id = IdOf(template, random, number, call);
            try
            {
                if (_workload.Lasting.ContainsKey(template.Aggregate.Name) && random.Chance(ReadPercent))
                {
                    ReadConsistency consistency = random.Chance(EventualPercent) ? ReadConsistency.Eventual : ReadConsistency.Strong;
                    await Read(random.Of(_cluster.Nodes), template.Aggregate, id, consistency, caller, stop).ConfigureAwait(false);
                }
                else if (_window.TryBegin(id, out long place))
                {
                    await SendUntilKnown(template, id, Command(template, id, number, call, random), caller, random,
                        stop).ConfigureAwait(false);
                    _window.End(id, place);
                }

                if (Interlocked.Increment(ref _calls) == _options.Calls)
                    _made.TrySetResult();
                await Task.Delay(random.Between(TimeSpan.Zero, 2 * _options.Pause), _time, stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return; // what is open is recorded as such
            }
        }
    }

    private AggregateId IdOf(CommandTemplate template, SeededRandom random, int caller, int call) =>
        AggregateId.Parse(template.Aggregates > 0
        ? LastingId(template.Aggregate.Name, random.Below(template.Aggregates))
        : string.Create(CultureInfo.InvariantCulture, $"{_run}-{template.Aggregate.Name}-c{caller}-{call}"));

    private string LastingId(string aggregate, int number) => string.Create(CultureInfo.InvariantCulture, $"{_run}-{aggregate}-{number}");

    private CommandEnvelope Command(CommandTemplate template, AggregateId id, int caller, int call, SeededRandom random)
    {
        object payload = template.Fill(random, name => LastingId(name, random.Below(_workload.Lasting[name])));
        var command = new CommandEnvelope(id, CommandId.Parse(string.Create(CultureInfo.InvariantCulture, $"{_run}-{caller}-{call}")),
            payload);
        if (!random.Chance(ExpectingPercent))
            return command;
        return command with { ExpectedVersion = _seen.TryGetValue(id, out long version) && version > 0
            ? ExpectedVersion.Exactly(version)
            : ExpectedVersion.New };
    }

    private async Task SendUntilKnown(CommandTemplate template, AggregateId id, CommandEnvelope command, string caller, SeededRandom random,
        CancellationToken stop)
    {
        _created.TryAdd(id, template.Aggregate);
        long started = _time.GetTimestamp();
        while (true)
        {
            Task<CommandResult?> once = Try(template, command, caller, random, stop);
            Task<CommandResult?>? twice = null;
            if (random.Chance(TwicePercent))
            {
                Interlocked.Increment(ref _sentTwice);
                twice = Try(template, command, $"{caller}, again", random, stop);
            }

            CommandResult? result = await once.ConfigureAwait(false);
            if (twice is not null)
                result = await twice.ConfigureAwait(false) ?? result;
            if (result is not null and not CommandResult.Faulted)
            {
                CommandLatency.Record(_time.GetElapsedTime(started));
                _seen[id] = result.Version;
                return;
            }

            await Task.Delay(random.Between(TimeSpan.Zero, 2 * BeforeNextTry), _time, stop).ConfigureAwait(false);
        }
    }

    private async Task<CommandResult?> Try(CommandTemplate template, CommandEnvelope command, string caller, SeededRandom random,
        CancellationToken stop)
    {
        CallHistory history = Histories[template.Aggregate.Name];
        ICommandClient client;
        if (random.Chance(TopicPercent))
        {
            client = history.Record(_topics[template.Aggregate.Name], $"{caller}, by the topic");
        }
        else
        {
            ChaosNode node = random.Of(_cluster.Nodes);
            if (node.Http is not { } http)
                return null;
            client = history.Record((ICommandClient)new HttpCommandClient(http, template.Aggregate), $"{caller} at {node.Name}");
        }

        try
        {
            return await client.SendAsync(command, stop).ConfigureAwait(false);
        }
        catch (Exception failure) when (IsExpected(failure, stop))
        {
            Note(failure);
            return null;
        }
    }

    // No answer, or one that says to try again; the history has it as unknown.
    private static bool IsExpected(Exception failure, CancellationToken stop) => failure is HttpRequestException or IOException
        or System.Net.Sockets.SocketException or TimeoutException or AggregateUnavailableException or OverloadedException
        or UnexpectedAnswerException or AggregateParkedException
        || (failure is OperationCanceledException && !stop.IsCancellationRequested);

    private void Note(Exception failure)
    {
        if (failure is UnexpectedAnswerException or AggregateParkedException)
            _unexpected.AddOrUpdate(failure.Message, 1, (_, times) => times + 1);
    }
}
