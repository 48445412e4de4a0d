using System.Buffers.Binary;
using Confluent.Kafka;
using Counting;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>
/// Events and states that nobody could read back. An enum's number that its schema does not have was appended: read models stood still for
/// good, and its aggregate was unreadable after the next restore. A state with a null was written after the commit, and ended the
/// partition.
/// </summary>
public sealed class UnencodableTests : IClassFixture<ProcessingFixture>, IAsyncLifetime
{
    private static readonly AggregateDefinition Definition = AggregateDefinition.Define("tag", new Tag { Text = "" })
        .Decides<Add>((_, command) => command.By switch
        {
            1 => Decision.Accept(new Tagged { Text = "fine", Colour = Colour.Green }),
            2 => Decision.Accept(new Tagged { Text = "fine", Colour = Colour.Green }, new Tagged { Text = "flags", Colour = (Colour)3 }),
            3 => Decision.Accept(new Tagged { Text = null!, Colour = Colour.Red }),
            4 => Decision.Accept(new Tagged { Text = "\udc00", Colour = Colour.Red }),
            5 => Decision.Accept(new Tagged { Text = "no text", Colour = Colour.Red }),
            _ => Decision.Reject("half \ud800", "A message with \ud800.", ("half \ud800", "\udc00")),
        })
        .Evolves<Tagged>((_, tagged) => new Tag { Text = tagged.Text == "no text" ? null! : "t" })
        .Build();

    private readonly ProcessingFixture _fixture;
    private readonly TemporaryFolder _folder = new();
    private readonly StateStore _store;
    private BatchDecider _decider = null!;

    public UnencodableTests(ProcessingFixture fixture)
    {
        _fixture = fixture;
        _store = StateStore.Open(_folder.Child("store"), Definition, AvroRecordType.Of<Tag>(), 4);
    }

    public async ValueTask InitializeAsync()
    {
        var serde = AvroMessageSerde.Create(_fixture.Registry, [AvroRecordType.Of<Tagged>()]);
        TopicEncoder encoder = await serde.PrepareAsync("app.tag.events", [typeof(Tagged)], TestContext.Current.CancellationToken);
        _decider = new BatchDecider(Definition, 3, _store, new AggregateCache(_store, Definition, 100), encoder, 1_000,
            new ParkedAggregates(new TopicFamily("app", "tag"), 3, TimeProvider.System), _fixture.Outbox(Definition));
    }

    public ValueTask DisposeAsync()
    {
        _store.Dispose();
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(2, "event-unencodable", "Tagged.Colour: The enum has no symbol of the number 3")]
    [InlineData(3, "event-unencodable", "Tagged.Text: The value is null")]
    [InlineData(4, "event-unencodable", "Tagged.Text: The text has a lone surrogate (U+DC00)")]
    [InlineData(5, "state-unencodable", "Tag.Text: The value is null")]
    public void Decision_that_makes_what_cannot_be_read_back_is_faulted_and_nothing_is_appended(int by, string code, string says)
    {
        _decider.Begin(10);
        Decide("c1", 1);
        Decide("c2", by);
        Decide("c3", 1);
        _decider.Replies().Select(r => (r.Reply.Outcome, r.Reply.Version, r.Reply.Code)).ShouldBe(
            [(ReplyOutcome.Accepted, 1, null), (ReplyOutcome.Faulted, 1, code), (ReplyOutcome.Accepted, 2, null)]);
        _decider.Replies()[1].Reply.Message.ShouldNotBeNull().ShouldContain(says);
        _decider.Events.Select(e => e.Version).ShouldBe([1L, 2L]);
        _decider.Apply(12);
        _store.Read(AggregateId.Parse("a"), 3)!.Version.ShouldBe(2);
    }

    // The answer itself could not be sent.
    [Fact]
    public void Rejection_with_half_a_character_is_an_answer_that_can_be_sent()
    {
        _decider.Begin(10);
        Decide("c1", 6);
        CommandReply reply = _decider.Replies().ShouldHaveSingleItem().Reply;
        (reply.Outcome, reply.Code, reply.Message).ShouldBe((ReplyOutcome.Rejected, "half \ufffd", "A message with \ufffd."));
        reply.Details.ShouldBe(new Dictionary<string, string> { ["half \ufffd"] = "\ufffd" });
    }

    // The process ended, at every start.
    [Fact]
    public async Task Command_that_is_nested_without_end_is_undecodable()
    {
        var serde = AvroMessageSerde.Create(_fixture.Registry, [AvroRecordType.Of<PutTree>()]);
        await serde.PrepareAsync("app.trees.commands", [typeof(PutTree)], TestContext.Current.CancellationToken);
        int id = await _fixture.Registry.GetSchemaIdAsync("app.trees.commands-Counting.PutTree",
            new Confluent.SchemaRegistry.Schema(AvroRecordType.Of<PutTree>().SchemaJson, Confluent.SchemaRegistry.SchemaType.Avro));
        byte[] value = [0, 0, 0, 0, 0, .. Enumerable.Repeat((byte)2, 400_000), 2, 0];
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(1), id);
        var record = new ConsumeResult<byte[], byte[]>
        {
            TopicPartitionOffset = new TopicPartitionOffset("app.trees.commands", 1, 42),
            Message = new Message<byte[], byte[]>
            {
                Key = "a"u8.ToArray(),
                Value = value,
                Headers = [],
                Timestamp = new Timestamp(ProcessingFixture.RecordTime),
            },
        };
        (string code, string message) = CommandRecord.Read(record, default, serde, Counter.Definition).Fault.ShouldNotBeNull();
        code.ShouldBe(CommandRecord.Undecodable);
        message.ShouldContain("nested deeper than 64");
    }

    private void Decide(string command, int by) => _decider.Decide(_fixture.Command("a", command, new Add { By = by }));
}
