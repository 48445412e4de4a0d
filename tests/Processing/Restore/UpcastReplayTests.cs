using Confluent.Kafka;
using Counting;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>A restore from events that are upcast: to as many additions as they say, to none, or not at all.</summary>
public sealed class UpcastReplayTests(ProcessingFixture fixture) : IClassFixture<ProcessingFixture>, IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TopicFamily _topics = new(TestServers.UniqueName("upcast"), "counter");
    private readonly Dictionary<string, long> _versions = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Replay_folds_all_that_an_event_is_upcast_to_as_one_version()
    {
        PartitionContext context = await Context(Counters(fails: true));
        Write(("a", new Added { By = 1 }), ("a", new Add { By = 2, Times = 3 }), ("b", new Add { By = 1, Times = -1 }), ("a", new Fail()),
            ("b", new Added { By = 1 }), ("a", new Added { By = 10 }));
        using StateStore store = Open(context);
        var letters = new List<(long Offset, string Cause, string Message)>();
        Replay(context, store).Run(6, (record, cause, message) => letters.Add((record.Offset.Value, cause, message)), Cancellation)
            .ShouldBe(6);

        AggregateView a = store.Read(AggregateId.Parse("a"), 0)!;
        (a.Version, ((Count)a.State).Total, a.Token.Offset).ShouldBe((4, 17, 5));
        Enumerable.Range(1, 4).Select(v => store.OffsetOf(AggregateId.Parse("a"), v)).ShouldBe([0, 1, 3, 5]);
        // Of each version the command is known, also of the one that is read as no event.
        AggregateEntry entry = store.Load(AggregateId.Parse("a"))!;
        Enumerable.Range(1, 4).Count(v => store.TryGetOutcome(entry, $"a-{v}", out _)).ShouldBe(4);
        letters[0].ShouldBe((2, ParkingCauses.Unfoldable,
            $"The event {_topics.Events} 0@2, Add of b, cannot be upcast: Less than none."));
    }

    [Fact]
    public async Task Events_that_could_not_be_upcast_are_folded_by_code_that_can()
    {
        PartitionContext context = await Context(Counters(fails: true));
        Write(("b", new Add { By = 1, Times = -1 }), ("b", new Added { By = 5 }));
        using StateStore store = Open(context);
        ParkedAggregates parked = Parked(context);
        var records = new List<ConsumeResult<byte[], byte[]>>();
        Replay(context, store).Run(2, (record, _, _) => records.Add(record), Cancellation);
        store.Read(AggregateId.Parse("b"), 0).ShouldBeNull();
        // It can be read, and is history: an operator must not discard it.
        new EventRepair(fixture.Kafka, Folder(context, store, parked), parked, (_, _, _) => { }).CanRead(records[0], Cancellation)
            .ShouldBeTrue();

        PartitionContext mended = context with { Definition = Counters(fails: false) };
        EventFolder folder = Folder(mended, store, parked);
        var repair = new EventRepair(fixture.Kafka, folder, parked, (_, _, message) => throw new InvalidOperationException(message));
        AggregateId b = AggregateId.Parse("b");
        repair.FoldAgain(new HashSet<AggregateId> { b }, 0, Cancellation).ShouldBe([b]);
        AggregateView view = store.Read(b, 0)!;
        (view.Version, ((Count)view.State).Total).ShouldBe((2, 5));
    }

    [Theory]
    [InlineData(1, "The aggregate 'counter' only reads Counting.Add, and upcasts it to other events: decide that.")]
    [InlineData(2, "The aggregate 'counter' ignores Counting.Forward: it is withdrawn, and not decided.")]
    public async Task Decision_of_a_type_that_is_only_read_is_a_fault_and_nothing_is_appended(int by, string why)
    {
        PartitionContext context = await Context(Counters(fails: false));
        using StateStore store = Open(context);
        var decider = new BatchDecider(context.Definition, 0, store, new AggregateCache(store, context.Definition, 1_000_000),
            fixture.Encoder, 1_000, Parked(context), fixture.Outbox(context.Definition));
        decider.Begin(0);
        decider.Decide(fixture.Command("a", "c1", new Add { By = by }));
        CommandOutcome outcome = decider.Answers.Single().Outcome;
        (outcome.Kind, outcome.Explanation!.Code).ShouldBe((OutcomeKind.Faulted, "decide-failed"));
        outcome.Explanation.Message.ShouldBe($"Add could not be decided: UnknownMessageTypeException: {why}");
        decider.Events.ShouldBeEmpty();
    }

    private static AggregateDefinition Counters(bool fails) => AggregateDefinition.Define("counter", new Count { Total = 0 })
        .Decides<Add>((_, add) => Decision.Accept(new Added { By = 0 }, add.By == 1 ? add : new Forward { By = 1 }))
        .Evolves<Added>((state, added) => state with { Total = state.Total + added.By })
        .Upcasts<Add>(add => add.Times >= 0 ? Enumerable.Repeat(new Added { By = add.By }, add.Times)
            : fails ? throw new InvalidOperationException("Less than none.")
            : [])
        .Upcasts<Fail>(_ => [])
        .Ignores("Counting.Forward")
        .Build();

    private static StateStore Open(PartitionContext context) =>
        StateStore.Open(context.Options.StoreOf(0), context.Definition, Counter.State, 4);

    private static ParkedAggregates Parked(PartitionContext context) => new(context.Topics, 0, TimeProvider.System);

    private static EventFolder Folder(PartitionContext context, StateStore store, ParkedAggregates parked) =>
        new(context, 0, new SchemaRegistryRetry(NullLogger.Instance, 0), store, new AggregateCache(store, context.Definition, 1_000_000),
            parked);

    private EventReplay Replay(PartitionContext context, StateStore store) => new(fixture.Kafka, Folder(context, store, Parked(context)));

    private async Task<PartitionContext> Context(AggregateDefinition definition)
    {
        using (var provisioner = new TopicProvisioner(fixture.Kafka))
            await provisioner.ApplyAsync(await provisioner.PlanAsync(TopicDeclaration.For(_topics, 1, -1), Cancellation), Cancellation);
        var options = new CommandProcessorOptions { StateDirectory = _folder.Child("state") };
        return new PartitionContext(definition, _topics, fixture.Kafka, fixture.Serde, fixture.Encoders, new NodeIdentity("n"), 1, 1, null!,
            options, TimeProvider.System, NullLogger.Instance);
    }

    private void Write(params (string Aggregate, IAvroRecord Payload)[] events)
    {
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(fixture.Kafka.Producer()).Build();
        foreach ((string aggregate, IAvroRecord payload) in events)
        {
            long version = _versions[aggregate] = _versions.GetValueOrDefault(aggregate) + 1;
            producer.Produce(new TopicPartition(_topics.Events, 0), new Message<byte[], byte[]>
            {
                Key = System.Text.Encoding.UTF8.GetBytes(aggregate),
                Value = fixture.Encode(payload),
                Headers = new Headers
                {
                    { CloudEventHeaders.Sequence, CloudEventHeaders.Encode(version) },
                    { CloudEventHeaders.Time, CloudEventHeaders.Encode(ProcessingFixture.RecordTime) },
                    { CloudEventHeaders.CausationId, System.Text.Encoding.UTF8.GetBytes($"{aggregate}-{version}") },
                },
            });
        }

        producer.Flush(Cancellation);
    }
}
