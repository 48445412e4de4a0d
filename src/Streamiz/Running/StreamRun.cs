using System.Globalization;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Stream;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// One start of Streamiz: from topics and schemas to the first fault, or to the end. Streamiz itself goes on in a state of error after a
/// fault; this ends, and whoever has it starts another one.
/// </summary>
internal sealed partial class StreamRun : IStreamGauges, IAsyncDisposable
{
    private const int SinglyAfterFault = 20_000; // more than come between two commits

    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan SourceTimeout = TimeSpan.FromSeconds(5); // they are asked for again, with a word of it

    private readonly EventStreamsDefinition _definition;
    private readonly EventStreamsOptions _options;
    private readonly ApplicationServers _servers;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly TaskCompletionSource<Exception> _fault = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _restored = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CachedSchemaRegistryClient _registry;
    private readonly StreamTelemetry _telemetry;
    private readonly Dictionary<string, int> _partitions = []; // of the topics that are read
    private volatile bool _isRunning;
    private StreamClients? _clients;
    private KafkaStream? _stream;

    private StreamRun(EventStreamsDefinition definition, EventStreamsOptions options, ApplicationServers servers, ILoggerFactory loggers)
    {
        (_definition, _options, _servers, _loggers) = (definition, options, servers, loggers);
        _logger = loggers.CreateLogger("KafkaEventSourcing.Streamiz");
        _registry = new CachedSchemaRegistryClient(servers.Registry);
        _telemetry = new StreamTelemetry(definition.Name);
    }

    /// <summary>What the processors share.</summary>
    public StreamEnvironment Environment { get; private set; } = null!;

    /// <summary>Completes with the first fault.</summary>
    public Task<Exception> Fault => _fault.Task;

    /// <summary>Completes when it has ended, and whoever asks for the run gets another one.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Completes when partitions are assigned and all of their stores are restored, for the first time.</summary>
    public Task Restored => _restored.Task;

    /// <inheritdoc/>
    public IEnumerable<(string Topic, int Partition, long Lag)> Lags => _clients?.Lags ?? [];

    /// <inheritdoc/>
    public IEnumerable<(string Store, int Partition, long Remaining)> Restores => Environment.Assignment.Restores;

    /// <summary>Starts <paramref name="definition"/> in <paramref name="folder"/>.</summary>
    /// <param name="definition">What runs.</param>
    /// <param name="application">The application's name.</param>
    /// <param name="options">How.</param>
    /// <param name="servers">Where.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="clientsOf">Makes the clients; tests have others.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <param name="isAfterFault">Whether the run before has failed: a batch in which an event fails gives nothing, so the first events
    /// come one by one, and all before it are derived.</param>
    /// <exception cref="InvalidInputException">A topic has another number of partitions than it must have.</exception>
    /// <exception cref="SourcesMissingException">Topics that are read are not there.</exception>
    public static async Task<StreamRun> StartAsync(EventStreamsDefinition definition, string application, EventStreamsOptions options,
        ApplicationServers servers, StreamFolder folder, StreamClientsFactory clientsOf, ILoggerFactory loggers,
        CancellationToken cancellationToken, bool isAfterFault = false)
    {
        var run = new StreamRun(definition, options, servers, loggers);
        try
        {
            await run.Start(application, folder, clientsOf, isAfterFault, cancellationToken).ConfigureAwait(false);
            return run;
        }
        catch
        {
            await run.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>How many partitions a topic has that is read.</summary>
    public int PartitionsOf(string topic) => _partitions[topic];

    /// <summary>
    /// Completes when all that the event of <paramref name="token"/> and those before it add is in the totals of the partition
    /// <paramref name="target"/>; false: this run has ended.
    /// </summary>
    /// <exception cref="StreamPartitionElsewhereException">Another process has one of the partitions.</exception>
    public async Task<bool> ReachAsync(TotalsPart part, int target, AggregateDefinition aggregate, string source, ConsistencyToken token,
        CancellationToken cancellationToken)
    {
        if (!await Environment.Assignment.ReachAsync(source, token.Partition, token.Offset, cancellationToken).ConfigureAwait(false))
            return false;
        TotalFlow flow = Environment.Flows[part.Name];
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task arrived = flow.WaitAsync(aggregate.Name, token.Partition, target, stop.Token);
        if (await Task.WhenAny(arrived, _ended.Task, _fault.Task).WaitAsync(cancellationToken).ConfigureAwait(false) != arrived)
        {
            await stop.CancelAsync().ConfigureAwait(false);
            return false;
        }

        // What was sent before this run, or by another process, is committed: it is what the internal topic has now.
        string topic = _definition.RepartitionOf(part.Store);
        var partition = new TopicPartition(topic, target);
        long next = await Environment.Assignment.NextOfAsync(topic, target, cancellationToken).ConfigureAwait(false);
        long last = await Task.Run(() => PartitionLogReader.Read(_servers.Kafka, _definition.Name, partition, next, cancellationToken)
            .Select(r => r.Offset.Value).DefaultIfEmpty(-1).Last(), cancellationToken).ConfigureAwait(false);
        return last < 0 || await Environment.Assignment.ReachAsync(topic, target, last, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        StreamTelemetry.Unwatch(this);
        if (_stream is { } stream)
        {
            // It joins threads that may be within a call of librdkafka.
            await Task.Factory.StartNew(stream.Dispose, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                .ConfigureAwait(false);
        }

        _clients?.Dispose();
        Environment?.Assignment.End();
        _registry.Dispose();
    }

    /// <summary>It has ended, and nobody is given it any more.</summary>
    public void MarkEnded() => _ended.TrySetResult();

    private async Task Start(string application, StreamFolder folder, StreamClientsFactory clientsOf, bool isAfterFault,
        CancellationToken cancellationToken)
    {
        await PrepareTopics(application, cancellationToken).ConfigureAwait(false);
        await new SourceTopics(_definition, application, _servers.Kafka).CheckAsync(cancellationToken).ConfigureAwait(false);
        DiscardedRecords discarded = await DiscardedRecords.AskAsync(_servers.Kafka,
            [.. _definition.Sources.Select(s => new TopicFamily(application, s.Name))], cancellationToken).ConfigureAwait(false);
        Environment = await StreamEnvironment.PrepareAsync(_definition, application, _registry,
            source => _partitions[new TopicFamily(application, source.Name).Events], discarded.Of, BeginOf, _telemetry,
            cancellationToken, _options.ExactlyOnce
                ? await SnapshotTopicIds.AskAsync(_definition, application, _servers.Kafka, cancellationToken).ConfigureAwait(false)
                : null).ConfigureAwait(false);
        var tables = new StateTables();
        StreamConfig config = StreamSettings.Of(_definition, _options, _servers.Kafka, folder.StatePath, _loggers, tables);
        config.InnerExceptionHandler = fault => Fail(fault, tables.Ownership, ExceptionHandlerResponse.FAIL);
        config.DeserializationExceptionHandler = (_, _, fault) => Fail(fault, tables.Ownership, ExceptionHandlerResponse.FAIL);
        config.ProductionExceptionHandler = report =>
            Fail(new KafkaException(report.Error), tables.Ownership, ProductionExceptionHandlerResponse.FAIL);
        _clients = clientsOf(new StreamClientSettings
        {
            Connection = _servers.Kafka,
            Instance = folder.Instance,
            Assignment = Environment.Assignment,
            Ownership = tables.Ownership,
            Batched = Environment.Sources.Values.Select(s => s.Topic).Concat(_definition.Repartitions).ToHashSet(),
            BatchRecords = _options.MaxPollRecords,
            FirstSingly = isAfterFault ? SinglyAfterFault : 0,
            ExactlyOnce = _options.ExactlyOnce,
            SessionTimeout = _options.SessionTimeout,
            Fail = fault => _fault.TrySetResult(fault),
            Logger = _logger,
        });
        Topology topology = new StreamTopology(_definition, Environment,
            topic => _partitions.TryGetValue(topic, out int count) ? count : null, tables).Build();
        // The constructor makes clients, and blocks; so does the start until the internal topics are there.
        _stream = await Task.Run(() => new KafkaStream(topology, config, _clients), cancellationToken).ConfigureAwait(false);
        _stream.OnRestoreStartEvent += (partition, store, from, to) =>
            Environment.Assignment.Restoring(store, partition.Partition.Value, to - Math.Max(0, from));
        _stream.OnRestoreBatchEvent += (partition, store, at, records) => Restoring(partition, store, records);
        _stream.OnRestoreEndEvent += (partition, store, _) =>
        {
            Environment.Assignment.Restored(store, partition.Partition.Value);
            SeeWhetherRestored();
        };
        _stream.StateChanged += (_, state) =>
        {
            _isRunning = state == KafkaStream.State.RUNNING;
            SeeWhetherRestored();
            if (state == KafkaStream.State.ERROR)
                _fault.TrySetResult(new InvalidOperationException("Streamiz has ended all of its threads; its log says why."));
        };
        _telemetry.Watch(this);
        await _stream.StartAsync().ConfigureAwait(false);
    }

    // On the thread that has met the fault: Streamiz is about to commit what it has done of the record.
    private T Fail<T>(Exception fault, ThreadOwnership ownership, T response)
    {
        ownership.End();
        _fault.TrySetResult(fault);
        return response;
    }

    private void Restoring(TopicPartition partition, string store, long records)
    {
        _telemetry.Restored(store, records);
        Environment.Assignment.RestoredSome(store, partition.Partition.Value, records);
    }

    private void SeeWhetherRestored()
    {
        if (_isRunning && Environment.Assignment.IsRestored)
            _restored.TrySetResult();
    }

    // The sources must be there; what is written is made where it is missing.
    private async Task PrepareTopics(string application, CancellationToken cancellationToken)
    {
        await Task.Run(() => CountPartitions(application), cancellationToken).ConfigureAwait(false);
        TopicDeclaration declaration = _definition.Declare(s => _partitions[new TopicFamily(application, s.Name).Events],
            _options.ReplicationFactor);
        foreach (TopicSpecification topic in declaration.Topics)
            _partitions.TryAdd(topic.Name, topic.Partitions);
        using var provisioner = new TopicProvisioner(_servers.Kafka);
        TopicPlan plan = await provisioner.PlanAsync(declaration, cancellationToken).ConfigureAwait(false);
        foreach ((string topic, string config, string? present, string declared) in plan.Drifted)
            LogDrifted(_logger, _definition.Name, topic, config, present ?? "(nothing)", declared);
        await provisioner.ApplyAsync(new TopicPlan(plan.Missing, [], plan.Refused), cancellationToken).ConfigureAwait(false);
    }

    private void CountPartitions(string application)
    {
        using IAdminClient admin = _servers.Kafka.BuildAdmin();
        var missing = new List<string>();
        foreach (AggregateDefinition source in _definition.Sources)
        {
            string topic = new TopicFamily(application, source.Name).Events;
            try
            {
                _partitions[topic] = TopicPartitions.Of(admin, topic, missing.Count == 0 ? SourceTimeout : TimeSpan.Zero).Count;
            }
            catch (KafkaException none) when (none.Error.Code is ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic)
            {
                missing.Add(topic);
            }
        }

        if (missing.Count > 0)
            throw new SourcesMissingException(string.Create(CultureInfo.InvariantCulture,
                $"{(missing.Count == 1 ? "the topic" : "the topics")} {string.Join(", ", missing)}, which "
                    + $"{_servers.Kafka.BootstrapServers} does not have: the first start of a node of '{application}' makes "
                    + $"{(missing.Count == 1 ? "it" : "them")}"));
    }

    // For the message of a fault, on Streamiz' thread.
    private long BeginOf(string topic, int partition)
    {
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(_servers.Kafka.Consumer(_definition.Name))
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        try
        {
            return PartitionOffsets.Query(consumer, new TopicPartition(topic, partition), MetadataTimeout, CancellationToken.None)
                .Low.Value;
        }
        catch (KafkaException)
        {
            return 0; // the fault itself is what has to be said
        }
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Streams {Streams}: {Config} of the topic {Topic} is {Present}, and should be {Declared}")]
    private static partial void LogDrifted(ILogger logger, string streams, string topic, string config, string present, string declared);
}

/// <summary>Makes the clients of a run.</summary>
internal delegate StreamClients StreamClientsFactory(StreamClientSettings settings);
