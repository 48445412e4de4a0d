using System.Buffers;
using System.Diagnostics;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.SchemaRegistry.Serdes;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Bench;

/// <summary>The stages that need no server, or the registry alone.</summary>
internal static class Stages
{
    private const int Messages = 400_000;
    private const string Topic = "bench.account.commands";

    public static async Task Encode(Load load, CancellationToken cancellationToken)
    {
        await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
        AvroMessageSerde serde = AvroMessageSerde.Create(servers.Registry, [AvroRecordType.Of<Credit>()]);
        TopicEncoder encoder = await serde.PrepareAsync(Topic, [typeof(Credit)], cancellationToken).ConfigureAwait(false);
        var confluent = new AvroSerializer<Credit>(servers.Registry,
            new AvroSerializerConfig
            {
                AutoRegisterSchemas = true, SubjectNameStrategy = Confluent.SchemaRegistry.SubjectNameStrategy.TopicRecord,
            });
        Credit[] credits = [.. load.Movements(20_000).Movements().Select(m => m.Payload).OfType<Credit>()];
        var context = new SerializationContext(MessageComponentType.Value, Topic);
        var ours = new Sample("encode: generated, into a reused buffer", "msg/s");
        var theirs = new Sample("encode: Confluent AvroSerializer", "msg/s");
        var buffer = new ArrayBufferWriter<byte>(4096);
        for (int run = 0; run <= load.Runs; run++)
        {
            long started = Stopwatch.GetTimestamp();
            for (int i = 0; i < Messages; i++)
            {
                buffer.ResetWrittenCount();
                encoder.Encode(credits[i % credits.Length], buffer);
            }

            Record(ours, run, started);
            started = Stopwatch.GetTimestamp();
            for (int i = 0; i < Messages; i++)
                await confluent.SerializeAsync(credits[i % credits.Length], context).ConfigureAwait(false);
            Record(theirs, run, started);
        }

        theirs.Print();
        ours.Print(theirs, "Confluent");
    }

    /// <summary>Values of the schema of today beside values of an earlier one, which had a field more.</summary>
    public static Task Decode(Load load, CancellationToken cancellationToken)
    {
        AvroRecordType type = AvroRecordType.Of<AccountCredited>();
        byte[][] plain = [.. load.Movements(20_000).Movements().Select(m => m.Payload).OfType<Credit>().Select(c => Bytes(type, c))];
        return DecodeStage.Run(load, plain, cancellationToken);
    }

    public static Task Decide(Load load, CancellationToken cancellationToken)
    {
        var sample = new Sample("decide: the bank's rules and the fold", "cmd/s");
        object[] commands = [.. load.Movements(20_000).Movements().Select(m => m.Payload)];
        for (int run = 0; run <= load.Runs; run++)
        {
            object state = Opened();
            var context = new CommandContext(AggregateId.Parse("a"), CommandId.Parse("c"), DateTimeOffset.UnixEpoch, 1);
            long started = Stopwatch.GetTimestamp();
            for (int i = 0; i < Messages; i++)
            {
                Decision decision = Account.Definition.Decide(state, commands[i % commands.Length], context);
                for (int e = 0; e < decision.Count; e++)
                    state = Account.Definition.Evolve(state, decision[e]);
            }

            Record(sample, run, started);
        }

        sample.Print();
        return Task.CompletedTask;
    }

    public static Task Fold(Load load, CancellationToken cancellationToken)
    {
        var sample = new Sample("fold: bytes to event to state", "events/s");
        AvroRecordType type = AvroRecordType.Of<AccountCredited>();
        byte[][] events = [.. load.Movements(20_000).Movements().Select(m => m.Payload).OfType<Credit>().Select(c => Bytes(type, c))];
        for (int run = 0; run <= load.Runs; run++)
        {
            object state = Opened();
            long started = Stopwatch.GetTimestamp();
            for (int i = 0; i < Messages; i++)
                state = Account.Definition.Evolve(state, type.Read(events[i % events.Length]));
            Record(sample, run, started);
        }

        sample.Print();
        return Task.CompletedTask;
    }

    internal static byte[] Bytes(AvroRecordType type, Credit credit)
    {
        object credited = Account.Definition.Decide(Opened(), credit,
            new CommandContext(AggregateId.Parse("a"), CommandId.Parse("c"), DateTimeOffset.UnixEpoch, 1))[0];
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new AvroWriter(buffer);
        ((IAvroRecord)credited).WriteTo(ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    internal static byte[] Framed(TopicEncoder encoder, IAvroRecord value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        encoder.Encode(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    internal static byte[] Framed(int schemaId, byte[] value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        WireFormat.WriteHeader(buffer, schemaId);
        buffer.Write(value);
        return buffer.WrittenSpan.ToArray();
    }

    private static object Opened() =>
        Account.Definition.Evolve(Account.Definition.InitialState,
            new AccountOpened { Owner = "bench", Currency = "CZK", OverdraftLimit = 1_000_000, OpenedOn = new DateOnly(2024, 1, 1) });

    // The first run warms up.
    private static void Record(Sample sample, int run, long started)
    {
        if (run > 0)
            sample.Add(Messages / Stopwatch.GetElapsedTime(started).TotalSeconds);
    }
}
