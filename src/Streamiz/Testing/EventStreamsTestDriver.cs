using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging.Abstractions;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Mock;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Runs a definition in a test, in this thread and without servers, by Streamiz' <see cref="TopologyTestDriver"/>: what is given is
/// processed when the call returns. Its stores are in a temporary folder, which disposing deletes. Not thread-safe.
/// </summary>
public sealed class EventStreamsTestDriver : IDisposable
{
    private const string Application = "test";

    private readonly EventStreamsDefinition _definition;
    private readonly StreamEnvironment _environment;
    private readonly TopologyTestDriver _driver;
    private readonly string _folder;
    private readonly Dictionary<AggregateDefinition, TestInputTopic<byte[], byte[]>> _inputs = [];
    private readonly Dictionary<AggregateDefinition, TopicEncoder> _encoders = [];
    private readonly Dictionary<string, TestOutputTopic<byte[], byte[]>> _outputs = [];
    private readonly Dictionary<(AggregateDefinition, string), List<GivenEvent>> _given = [];
    private readonly Dictionary<string, Dictionary<long, DeadLetterResolution>> _discarded;
    private readonly Dictionary<AggregateDefinition, long> _records = []; // given so far
    private int _commands;

    private EventStreamsTestDriver(EventStreamsDefinition definition, StreamEnvironment environment, string folder, StateTables? tables,
        Dictionary<string, Dictionary<long, DeadLetterResolution>> discarded)
    {
        (_definition, _environment, _folder, _discarded) = (definition, environment, folder, discarded);
        var connection = new KafkaConnection { BootstrapServers = "in-memory:9092" };
        StreamConfig config = StreamSettings.Of(definition, new EventStreamsOptions(), connection, folder, NullLoggerFactory.Instance);
        _driver = new TopologyTestDriver(new StreamTopology(definition, environment, static _ => null, tables).Build(), config);
        foreach (AggregateDefinition source in definition.Sources)
            _inputs[source] = _driver.CreateInputTopic(environment.Sources[source].Topic, new ByteArraySerDes(), new ByteArraySerDes());
    }

    /// <summary>Starts <paramref name="definition"/> with empty stores.</summary>
    public static EventStreamsTestDriver Start(EventStreamsDefinition definition) => Start(definition, null);

    internal static EventStreamsTestDriver Start(EventStreamsDefinition definition, StateTables? tables,
        IReadOnlyDictionary<string, (string Events, string Snapshots)>? snapshotTopics = null)
    {
        ArgumentNullException.ThrowIfNull(definition);
        string folder = Directory.CreateTempSubdirectory("kes-streams-").FullName;
        try
        {
            var discarded = definition.Sources.ToDictionary(s => s.Name, _ => new Dictionary<long, DeadLetterResolution>());
            // The registry is in memory: nothing is waited for.
            StreamEnvironment environment = StreamEnvironment.PrepareAsync(definition, Application, MemoryRegistry.Create(),
                static _ => null, (topics, _) => discarded[topics.Aggregate], static (_, _) => 0,
                new StreamTelemetry(definition.Name), CancellationToken.None, snapshotTopics).GetAwaiter().GetResult();
            return new EventStreamsTestDriver(definition, environment, folder, tables, discarded);
        }
        catch
        {
            Directory.Delete(folder, recursive: true);
            throw;
        }
    }

    /// <summary>
    /// Gives the next events of an aggregate, each of a command of its own, at <paramref name="time"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">The definition does not read the aggregate type.</exception>
    public EventStreamsTestDriver Given(AggregateDefinition aggregate, string id, DateTimeOffset time, params ReadOnlySpan<object> events)
    {
        List<GivenEvent> given = GivenOf(aggregate, id);
        foreach (object @event in events)
        {
            var next = new GivenEvent(@event, given.Count + 1, time, CommandId.Parse(string.Create(CultureInfo.InvariantCulture,
                $"command-{++_commands}")));
            given.Add(next);
            Pipe(aggregate, id, next);
        }

        return this;
    }

    /// <summary>
    /// Gives an event once more that was given before, as after a crash: with its version, under another offset.
    /// </summary>
    public EventStreamsTestDriver GivenAgain(AggregateDefinition aggregate, string id, long version)
    {
        Pipe(aggregate, id, GivenOf(aggregate, id)[(int)version - 1]);
        return this;
    }

    /// <summary>
    /// Gives the next event of an aggregate as one that an operator has discarded: it keeps its version, and does nothing.
    /// </summary>
    public EventStreamsTestDriver GivenDiscarded(AggregateDefinition aggregate, string id, DateTimeOffset time, object @event)
    {
        Discard(aggregate, _records.GetValueOrDefault(aggregate));
        return Given(aggregate, id, time, @event);
    }

    // The record at an offset, which may come later.
    internal void Discard(AggregateDefinition aggregate, long offset) =>
        _discarded[aggregate.Name][offset] = new DeadLetterResolution(true, null, "test", "test", DateTimeOffset.UnixEpoch, null);

    // A record as it is, such as several that come as one.
    internal void Given(AggregateDefinition aggregate, Message<byte[], byte[]> record)
    {
        _records[aggregate] = _records.GetValueOrDefault(aggregate) + 1;
        _inputs[aggregate].PipeInput(
            new TestRecord<byte[], byte[]>(record.Key, record.Value, record.Timestamp.UtcDateTime, record.Headers));
    }

    /// <summary>Leaves out the next event of an aggregate, as a log that has lost it.</summary>
    public EventStreamsTestDriver Lost(AggregateDefinition aggregate, string id, object @event, DateTimeOffset time)
    {
        List<GivenEvent> given = GivenOf(aggregate, id);
        given.Add(new GivenEvent(@event, given.Count + 1, time, CommandId.Parse($"command-{++_commands}")));
        return this;
    }

    /// <summary>The snapshot of an aggregate; null: there is none.</summary>
    public StreamSnapshot<TState>? SnapshotOf<TState>(AggregateDefinition<TState> aggregate, string id)
        where TState : class
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        Snapshot? snapshot = _driver.GetKeyValueStore<byte[], Snapshot?>(SnapshotPart.StoreOf(aggregate)).Get(Encoding.UTF8.GetBytes(id));
        return snapshot is null ? null : SnapshotViews.Of<TState>(AggregateId.Parse(id), snapshot);
    }

    /// <summary>The total of <paramref name="key"/> in the window that begins on <paramref name="firstDay"/>; null: there is
    /// none.</summary>
    public RunningTotal? TotalOf(string totals, string key, DateOnly firstDay) =>
        _driver.GetKeyValueStore<byte[], RunningTotal?>(totals).Get(KeySerDes.BytesOf(TotalKey.Of(key, firstDay)));

    /// <summary>How many events came again and were skipped, by the store that knew them.</summary>
    public long SkippedRepeatsOf(string store) => _environment.Telemetry.SkippedRepeatsOf(store);

    /// <summary>What was written to <paramref name="topic"/> since the last call.</summary>
    public IReadOnlyList<ConsumeResult<byte[], byte[]>> ReadAll(string topic)
    {
        // Without a time: Streamiz' mock gives up within one that is short, on a machine that is busy, with records left.
        if (!_outputs.TryGetValue(topic, out TestOutputTopic<byte[], byte[]>? output))
            _outputs.Add(topic, output = _driver.CreateOutputTopic(topic, TimeSpan.Zero, new ByteArraySerDes(),
                new ByteArraySerDes()));
        return [.. output.ReadKeyValueList()];
    }

    /// <summary>The value of a record that was read, decoded; null: it is a tombstone.</summary>
    public T? Decode<T>(byte[]? value)
        where T : class => value is null ? null : (T)(object)_environment.Serde.Decode(value);

    /// <summary>This library's serdes of an Avro type, for what a topology of the test's own needs.</summary>
    public ISerDes<T> SerDesOf<T>()
        where T : class, IAvroRecord<T> => new AvroSerDes<T>(_environment.Serde, _environment.Encoders);

    /// <summary>Streamiz' driver, for what a topology of the test's own needs.</summary>
    public TopologyTestDriver Driver => _driver;

    /// <summary>As if an aggregate had been dropped at <paramref name="offset"/>.</summary>
    internal void MarkDropped(AggregateDefinition aggregate, long offset) =>
        ((IKeyValueStore<byte[], Snapshot?>)_driver.GetKeyValueStore<byte[], Snapshot?>(
            SnapshotPart.StoreOf(aggregate))).Put(SnapshotFold.DroppedKey, new Snapshot
            {
                Version = 0, Partition = 0, Offset = offset, Time = DateTimeOffset.UnixEpoch, Commands = [], State = null,
            });

    /// <summary>The folder of the stores.</summary>
    internal string Folder => _folder;

    /// <inheritdoc/>
    public void Dispose()
    {
        _driver.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private List<GivenEvent> GivenOf(AggregateDefinition aggregate, string id)
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        if (!_inputs.ContainsKey(aggregate))
            throw new InvalidOperationException($"The event streams '{_definition.Name}' do not read '{aggregate.Name}'.");
        if (!_given.TryGetValue((aggregate, id), out List<GivenEvent>? given))
            _given.Add((aggregate, id), given = []);
        return given;
    }

    private void Pipe(AggregateDefinition aggregate, string id, GivenEvent given)
    {
        if (!_encoders.TryGetValue(aggregate, out TopicEncoder? encoder))
            _encoders.Add(aggregate, encoder = _environment.Serde.PrepareAsync(_environment.Sources[aggregate].Topic,
                [.. aggregate.EventTypes, .. aggregate.UpcastTypes]).GetAwaiter().GetResult());
        Headers headers = EventHeaders.Of(aggregate, id, given.Version, given.Time, given.Command, given.Event);
        Given(aggregate, new Message<byte[], byte[]>
        {
            Key = Encoding.UTF8.GetBytes(id),
            Value = EncodedBytes.Of(encoder, (IAvroRecord)given.Event),
            Timestamp = new Timestamp(given.Time),
            Headers = headers,
        });
    }

    private sealed record GivenEvent(object Event, long Version, DateTimeOffset Time, CommandId Command);
}
