using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Commands to one node, which all tests of the class share; each has accounts of its own.</summary>
public sealed class CommandTests(BankFixture bank, CommandTests.SharedNode shared) : IClassFixture<CommandTests.SharedNode>, IAsyncLifetime
{
    private EventSourcedNode _node = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _node = await shared.Of(bank);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Two_writers_with_the_same_expected_version_one_wins_and_the_other_learns_the_version()
    {
        await _node.SendAsync(Movement.Open("two-writers"), Cancellation);
        for (int round = 0; round < 20; round++)
        {
            var expected = ExpectedVersion.Exactly(1 + round);
            CommandResult[] results = await Task.WhenAll(
                _node.SendAsync(Movement.Credit("two-writers", 10) with { ExpectedVersion = expected }, Cancellation),
                _node.SendAsync(Movement.Credit("two-writers", 20) with { ExpectedVersion = expected }, Cancellation));
            results.OfType<CommandResult.Accepted>().ShouldHaveSingleItem().Version.ShouldBe(2 + round);
            CommandResult.Conflict conflict = results.OfType<CommandResult.Conflict>().ShouldHaveSingleItem();
            conflict.Version.ShouldBe(2 + round);
            conflict.Expected.ShouldBe(expected);
        }

        (await _node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("two-writers"), Cancellation))!.Version.ShouldBe(21);
    }

    [Fact]
    public async Task Same_command_id_from_two_clients_has_one_effect_and_one_answer()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        await using EventSourcedNode other = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        await node.SendAsync(Movement.Open("a"), Cancellation);
        CommandResult[] results = await Task.WhenAll(
            node.SendAsync(Movement.Credit("a", 10, "once"), Cancellation),
            other.SendAsync(Movement.Credit("a", 10, "once"), Cancellation));

        var first = (CommandResult.Accepted)results[0];
        var second = (CommandResult.Accepted)results[1];
        (first.Version, first.Token).ShouldBe((second.Version, second.Token));
        (first.IsDuplicate && second.IsDuplicate).ShouldBeFalse($"{first} and {second}"); // neither, when one reply told both
        (await Events(node, "a")).Select(e => e.Version).ShouldBe([1L, 2L]);
    }

    [Fact]
    public async Task Rejected_command_sent_again_gets_its_first_answer_even_when_it_would_be_accepted_now()
    {
        await _node.SendAsync(Movement.Open("rejected"), Cancellation);
        var first = (CommandResult.Rejected)await _node.SendAsync(Movement.Debit("rejected", 5, "too-early"), Cancellation);
        await _node.SendAsync(Movement.Credit("rejected", 100), Cancellation);
        var again = (CommandResult.Rejected)await _node.SendAsync(Movement.Debit("rejected", 5, "too-early"), Cancellation);
        again.IsDuplicate.ShouldBeTrue();
        again.Rejection.ShouldBe(first.Rejection);
        first.Rejection.Details["available"].ShouldBe("0");
    }

    // A number that no symbol of the schema has was taken, appended, and could never be read.
    [Fact]
    public async Task Command_that_its_schema_cannot_hold_is_refused_with_the_field()
    {
        await _node.SendAsync(Movement.Open("symbols"), Cancellation);
        CommandEnvelope credit = Movement.Credit("symbols", 10);
        InvalidInputException refused = await Should.ThrowAsync<InvalidInputException>(
            async () => await _node.SendAsync(credit with { Payload = (Credit)credit.Payload with { Operation = (Operation)99 } },
                Cancellation));
        refused.Message.ShouldContain("Credit.Operation: The enum has no symbol of the number 99");
        (await Events(_node, "symbols")).Select(e => e.Version).ShouldBe([1L]);
    }

    [Fact]
    public async Task Read_after_an_answer_sees_its_write()
    {
        await _node.SendAsync(Movement.Open("read-after"), Cancellation);
        for (int i = 1; i <= 50; i++)
        {
            CommandResult answer = await _node.SendAsync(Movement.Credit("read-after", 1), Cancellation);
            AggregateView view = (await _node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("read-after"), Cancellation))!;
            view.Version.ShouldBe(answer.Version);
            ((AccountState)view.State).Balance.ShouldBe(i);
        }
    }

    public static TheoryData<string, byte[]?, (string, string)?, string> Unusable => new()
    {
        { "text", "not avro"u8.ToArray(), null, "not-avro" },
        { "schema", [0, 0x7f, 0xff, 0xff, 0xff, 1], null, "unknown-schema" },
        { "nothing", null, null, "not-avro" },
        { new string('x', 257), [0, 0, 0, 0, 1], null, "invalid-aggregate-id" },
        { "version", [0, 0, 0, 0, 1], ("kes_expectedversion", "soon"), "invalid-header" },
        { "time", [0, 0, 0, 0, 1], ("ce_time", "yesterday"), "invalid-header" },
        { "id", [0, 0, 0, 0, 1], ("ce_id", new string('x', 300)), "invalid-header" },
    };

    [Theory]
    [MemberData(nameof(Unusable), DisableDiscoveryEnumeration = true)]
    public async Task Unusable_record_is_answered_and_the_next_command_is_decided(
        string key, byte[]? value, (string Name, string Value)? header, string code)
    {
        var headers = new Headers
        {
            { "ce_id", Encoding.UTF8.GetBytes($"unusable-{key[..1]}-{code}") },
            { "kes_replyto", "0/test"u8.ToArray() },
        };
        if (header is { } more)
            headers.Add(more.Name, Encoding.UTF8.GetBytes(more.Value));
        string family = $"{_node.Application.Name}.account";
        KafkaConnection kafka = bank.Servers.Addresses.KafkaConnection;
        using IConsumer<byte[], byte[]> replies = new ConsumerBuilder<byte[], byte[]>(kafka.Consumer(family)).Build();
        var partition = new TopicPartition($"{family}.replies", 0);
        // behind those of the other cases
        replies.Assign(new TopicPartitionOffset(partition, replies.QueryWatermarkOffsets(partition, TimeSpan.FromSeconds(30)).High));
        using IProducer<byte[], byte[]?> producer = new ProducerBuilder<byte[], byte[]?>(kafka.Producer()).Build();
        await producer.ProduceAsync(new TopicPartition($"{family}.commands", DeadLetterDesk.PartitionOf(key)),
            new Message<byte[], byte[]?> { Key = Encoding.UTF8.GetBytes(key), Value = value, Headers = headers }, Cancellation);

        var reply = (Avro.Messages.CommandReply)Avro.AvroRecordType.Of<Avro.Messages.CommandReply>().Read(
            replies.Consume(Cancellation).Message.Value.AsSpan(5));
        reply.Outcome.ShouldBe(code == "invalid-aggregate-id" ? Avro.Messages.ReplyOutcome.Faulted : Avro.Messages.ReplyOutcome.Parked);
        reply.Code.ShouldBe(code);
        (await _node.SendAsync(Movement.Open($"behind-{Guid.CreateVersion7()}"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
    }

    private static async Task<List<RecordedEvent>> Events(EventSourcedNode node, string account)
    {
        var events = new List<RecordedEvent>();
        await foreach (RecordedEvent recorded in node.Aggregates[0].History.ReadAggregateAsync(AggregateId.Parse(account), Cancellation))
            events.Add(recorded);
        return events;
    }

    /// <summary>A node that is started by the first test that wants it.</summary>
    public sealed class SharedNode : IAsyncDisposable
    {
        private EventSourcedNode? _node;

        internal async Task<EventSourcedNode> Of(BankFixture bank) =>
            _node ??= await bank.Servers.StartNodeAsync(BankFixture.NewBank(), null, Cancellation);

        public ValueTask DisposeAsync() => _node?.DisposeAsync() ?? ValueTask.CompletedTask;
    }
}
