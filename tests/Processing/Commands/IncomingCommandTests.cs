using System.Text;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Counting;
using CsCheck;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class IncomingCommandTests(ProcessingFixture fixture) : IClassFixture<ProcessingFixture>
{
    private static readonly byte[] Key = "a-1"u8.ToArray();

    private byte[] Value => fixture.Encode(new Add { By = 3 });

    [Fact]
    public void Record_without_headers_gets_an_id_of_its_place_and_the_time_of_the_record()
    {
        IncomingCommand command = fixture.Read(Key, Value);
        command.Fault.ShouldBeNull();
        command.AggregateId.Value.ShouldBe("a-1");
        command.CommandId.Value.ShouldBe("app.counter.commands-1-42");
        command.Time.ShouldBe(ProcessingFixture.RecordTime);
        command.Expected.ShouldBe(ExpectedVersion.Any);
        command.ReplyPartition.ShouldBe(-1);
        command.Payload.ShouldBe(new Add { By = 3 });
    }

    // The first command of a topic that was made again was answered as a duplicate of the first command of the one before.
    [Fact]
    public void Record_without_headers_has_another_id_in_another_topic_of_the_name()
    {
        fixture.Read(Key, Value, topicId: TopicId.From(1, 2)).CommandId.Value.ShouldBe("app.counter.commands-AAAAAAAAAAEAAAAAAAAAAg-1-42");
        fixture.Read(Key, Value, topicId: TopicId.From(1, 3)).CommandId.Value.ShouldBe("app.counter.commands-AAAAAAAAAAEAAAAAAAAAAw-1-42");
        fixture.Read(Key, Value, topic: new string('t', 240), topicId: TopicId.From(1, 2)).CommandId.Value.ShouldBe(
            "AAAAAAAAAAEAAAAAAAAAAg-1-42");
    }

    [Fact]
    public void Headers_are_read()
    {
        IncomingCommand command = fixture.Read(Key, Value, Headers(
            (CloudEventHeaders.Id, "c-7"), (CloudEventHeaders.ExpectedVersion, "12"),
            (CloudEventHeaders.Time, "2026-03-01T13:00:00.5+01:00"), (CloudEventHeaders.ReplyTo, "4/me")));
        command.Fault.ShouldBeNull();
        command.CommandId.Value.ShouldBe("c-7");
        command.Expected.ShouldBe(ExpectedVersion.Exactly(12));
        command.Time.ShouldBe(new DateTimeOffset(2026, 3, 1, 12, 0, 0, 500, TimeSpan.Zero));
        command.ReplyPartition.ShouldBe(4);
        Encoding.UTF8.GetString(command.ReplyClient!).ShouldBe("me");
    }

    // Such commands were "not Avro", and parked.
    [Fact]
    public async Task Schema_may_be_named_by_its_GUID_in_a_header()
    {
        RegisteredSchema schema = await fixture.Registry.LookupSchemaAsync(
            $"{ProcessingFixture.Topic}-Counting.Add", new Schema(AvroRecordType.Of<Add>().SchemaJson, SchemaType.Avro),
            ignoreDeletedSchemas: true);
        var headers = new Headers { { WireFormat.ValueSchemaIdHeader, [1, .. Guid.Parse(schema.Guid).ToByteArray(bigEndian: true)] } };
        fixture.Read(Key, Value[WireFormat.HeaderLength..], headers).Payload.ShouldBe(new Add { By = 3 });
        headers = new Headers { { WireFormat.ValueSchemaIdHeader, [1, .. Guid.CreateVersion7().ToByteArray(bigEndian: true)] } };
        fixture.Read(Key, Value[WireFormat.HeaderLength..], headers).Fault.ShouldNotBeNull().Code.ShouldBe(CommandRecord.UnknownSchema);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1/me")]
    [InlineData("99999999999/me")]
    [InlineData("one/me")]
    public void Reply_address_that_is_none_goes_to_the_partition_of_the_command(string address) =>
        fixture.Read(Key, Value, Headers((CloudEventHeaders.ReplyTo, address))).ReplyPartition.ShouldBe(-1);

    [Theory]
    [InlineData(null, "is empty")]
    [InlineData("", "is empty")]
    [InlineData("a\nb", "U+000A")]
    public void Key_that_is_no_id_is_a_fault(string? key, string says)
    {
        (string code, string message) = fixture.Read(key is null ? null : Encoding.UTF8.GetBytes(key), Value).Fault.ShouldNotBeNull();
        code.ShouldBe(CommandRecord.InvalidKey);
        message.ShouldContain(says);
    }

    [Fact]
    public void Key_that_is_too_long_is_a_fault_that_tells_the_limit() =>
        fixture.Read(Encoding.UTF8.GetBytes(new string('é', 129)), Value).Fault!.Value.Message.ShouldContain(
            "has 258 bytes of UTF-8; at most 256");

    [Fact]
    public void Key_that_is_not_UTF8_is_a_fault_and_not_the_id_of_somebody_else() =>
        fixture.Read([(byte)'a', 0xff], Value).Fault.ShouldNotBeNull().Code.ShouldBe(CommandRecord.InvalidKey);

    // They go into every event of the command, which must still fit into a record.
    [Theory]
    [InlineData(CloudEventHeaders.CorrelationId)]
    [InlineData(CloudEventHeaders.TraceParent)]
    public void Header_that_is_handed_on_is_bounded(string header)
    {
        fixture.Read(Key, Value, Headers((header, new string('x', 1_024)))).Fault.ShouldBeNull();
        fixture.Read(Key, Value, Headers((header, new string('x', 1_025)))).Fault.ShouldNotBeNull().Message.ShouldBe(
            $"The header {header} has 1025 bytes; at most 1024 are allowed.");
    }

    [Fact]
    public void Envelope_with_an_over_long_correlation_id_is_refused() =>
        Should.Throw<InvalidInputException>(() => IncomingCommand.From(
            new CommandEnvelope(AggregateId.Parse("a"), CommandId.Parse("c"), new Add { By = 1 })
            {
                CorrelationId = new string('x', 1_025),
            }, ProcessingFixture.RecordTime, default)).Field.ShouldBe("correlationId");

    [Fact]
    public void Command_id_that_is_not_UTF8_is_a_fault_and_not_the_id_of_somebody_else()
    {
        (string code, string message) = fixture.Read(Key, Value, new Headers { { CloudEventHeaders.Id, [(byte)'c', 0xff] } }).Fault
            .ShouldNotBeNull();
        code.ShouldBe(CommandRecord.InvalidHeader);
        message.ShouldBe("The header ce_id must be the command id in UTF-8, and is not UTF-8.");
    }

    [Theory]
    [InlineData(CloudEventHeaders.Id, "")]
    [InlineData(CloudEventHeaders.Id, "a\tb")]
    [InlineData(CloudEventHeaders.ExpectedVersion, "latest")]
    [InlineData(CloudEventHeaders.ExpectedVersion, "-1")]
    [InlineData(CloudEventHeaders.Time, "yesterday")]
    [InlineData(CloudEventHeaders.Time, "03/01/2026")]
    [InlineData(CloudEventHeaders.Time, "2026-03-01")]
    [InlineData(CloudEventHeaders.Time, "2026-03-01T13:00:00")]
    public void Header_that_is_malformed_is_a_fault_that_names_it(string header, string value)
    {
        (string code, string message) = fixture.Read(Key, Value, Headers((header, value))).Fault.ShouldNotBeNull();
        code.ShouldBe(CommandRecord.InvalidHeader);
        message.ShouldContain(header);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("00000000")]
    [InlineData("7b7d7b7d7b7d")]
    public void Value_that_is_not_Avro_is_a_fault(string? hex) =>
        fixture.Read(Key, hex is null ? null : Convert.FromHexString(hex)).Fault!.Value.Code.ShouldBe(CommandRecord.NotAvro);

    [Theory]
    [InlineData("007fffffff02")]
    [InlineData("00ffffffff02")]
    [InlineData("000000000002")]
    public void Schema_id_that_nobody_knows_is_a_fault(string hex) =>
        fixture.Read(Key, Convert.FromHexString(hex)).Fault!.Value.Code.ShouldBe(CommandRecord.UnknownSchema);

    [Fact]
    public void Type_that_the_aggregate_does_not_decide_is_a_fault_that_names_those_it_does()
    {
        (string code, string message) = fixture.Read(Key, fixture.Encode(new Added { By = 1 })).Fault.ShouldNotBeNull();
        code.ShouldBe(CommandRecord.UnknownCommand);
        message.ShouldContain("it decides Add, Fail");
    }

    [Fact]
    public async Task Type_that_nobody_declared_is_a_fault()
    {
        byte[] value = await WithSchema(
            """{"type":"record","name":"Strange","namespace":"Elsewhere","fields":[{"name":"A","type":"int"}]}""", [2]);
        fixture.Read(Key, value).Fault!.Value.Code.ShouldBe(CommandRecord.UnknownCommand);
        fixture.Read(Key, value).Fault!.Value.Message.ShouldContain("Elsewhere.Strange"); // the second time from memory
    }

    [Fact]
    public async Task Older_schema_of_a_command_is_resolved()
    {
        byte[] value = await WithSchema("""{"type":"record","name":"Add","namespace":"Counting","fields":[{"name":"By","type":"int"}]}""",
            [6]);
        fixture.Read(Key, value).Payload.ShouldBe(new Add { By = 3, Times = 1 });
    }

    [Fact]
    public async Task Schema_that_does_not_resolve_is_a_fault()
    {
        byte[] value = await WithSchema(
            """{"type":"record","name":"Add","namespace":"Counting","fields":[{"name":"By","type":"string"}]}""", [2, 65]);
        fixture.Read(Key, value).Fault!.Value.Code.ShouldBe(CommandRecord.Undecodable);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Value_of_another_length_is_a_fault(int length)
    {
        byte[] value = [.. Value.AsSpan(0, WireFormat.HeaderLength), .. Enumerable.Repeat((byte)2, length)];
        fixture.Read(Key, value).Fault!.Value.Code.ShouldBe(CommandRecord.Undecodable);
    }

    [Fact]
    public async Task Whatever_the_bytes_of_the_value_it_is_a_command_or_a_fault()
    {
        byte[] older = await WithSchema(
            """{"type":"record","name":"Add","namespace":"Counting","fields":[{"name":"Note","type":["null","string"]},{"name":"Many","type":{"type":"array","items":"bytes"}},{"name":"By","type":"int"}]}""", []);
        Gen.Byte.Array[0, 40].Sample(body =>
        {
            foreach (byte[] header in (byte[][])[older, Value[..WireFormat.HeaderLength]])
            {
                IncomingCommand command = fixture.Read(Key, [.. header, .. body]);
                (command.Fault is null).ShouldBe(command.Payload is not null);
            }
        }, iter: 5_000);
    }

    // An array of 2^61 items without a size kept Apache Avro's reader busy for ever, and with it the partition.
    [Fact]
    public async Task Value_of_another_schema_that_announces_more_items_than_it_has_is_a_fault()
    {
        byte[] header = await WithSchema(
            """{"type":"record","name":"Add","namespace":"Counting","fields":[{"name":"Nothing","type":{"type":"array","items":"null"}},{"name":"By","type":"int"}]}""", []);
        foreach (byte[] count in (byte[][])[[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f],
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0], [3, 8, 0]])
            fixture.Read(Key, [.. header, .. count, 0, 2]).Fault.ShouldNotBeNull().Code.ShouldBe(CommandRecord.Undecodable);
    }

    // The place of the record is the id of a command that has none; topic names have up to 249 characters and ids fewer.
    [Fact]
    public void Record_of_a_topic_with_the_longest_name_still_gets_an_id()
    {
        IncomingCommand one = fixture.Read(Key, Value, topic: $"{new string('t', 240)}.commands");
        one.Fault.ShouldBeNull();
        IncomingCommand other = fixture.Read(Key, Value, topic: $"{new string('t', 239)}u.commands");
        one.CommandId.ShouldNotBe(other.CommandId);
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public void Time_of_a_record_that_is_out_of_range_does_not_stop_the_partition(long milliseconds)
    {
        IncomingCommand command = fixture.Read(Key, Value, timestamp: new Timestamp(milliseconds, TimestampType.CreateTime));
        (command.Fault is null).ShouldBe(milliseconds == -1);
    }

    private async Task<byte[]> WithSchema(string schema, byte[] body)
    {
        int id = await fixture.Registry.RegisterSchemaAsync(Testing.TestServers.UniqueName("subject"), new Schema(schema, SchemaType.Avro));
        return [0, (byte)(id >> 24), (byte)(id >> 16), (byte)(id >> 8), (byte)id, .. body];
    }

    private static Headers Headers(params (string Name, string Value)[] values)
    {
        var headers = new Headers();
        foreach ((string name, string value) in values)
            headers.Add(name, Encoding.UTF8.GetBytes(value));
        return headers;
    }
}
