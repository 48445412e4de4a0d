using System.Diagnostics;
using System.Globalization;
using Avro.Generic;
using Avro.IO;
using Avro.Specific;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.SchemaRegistry.Serdes;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// Decoding of values of the schema of today, and of an earlier one, which had a field more: this library's serde beside Confluent's
/// deserializers and Apache Avro's readers, one after the other in each run.
/// </summary>
internal sealed class DecodeStage
{
    private const string Topic = "bench.account.events";
    private const int Messages = 100_000;

    private readonly List<(string Name, Func<byte[], ValueTask> Decode, bool IsOld, bool IsOurs)> _readers = [];

    /// <summary>Prints the median of nanoseconds and the bytes allocated for each, and how many times Confluent's take.</summary>
    public static async Task Run(Load load, byte[][] plain, CancellationToken cancellationToken)
    {
        await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
        AvroRecordType type = AvroRecordType.Of<AccountCredited>();
        AvroMessageSerde serde = AvroMessageSerde.Create(servers.Registry, [type]);
        string earlier = type.SchemaJson.Replace("\"fields\":[", "\"fields\":[{\"name\":\"Gone\",\"type\":\"string\"},",
            StringComparison.Ordinal);
        int earlierId = await servers.Registry.RegisterSchemaAsync($"{Topic}-{type.FullName}",
            new Confluent.SchemaRegistry.Schema(earlier, Confluent.SchemaRegistry.SchemaType.Avro)).ConfigureAwait(false);
        TopicEncoder encoder = await serde.PrepareAsync(Topic, [typeof(AccountCredited)], cancellationToken).ConfigureAwait(false);
        byte[][] now = [.. plain.Select(value => Stages.Framed(encoder, (IAvroRecord)type.Read(value)))];
        byte[][] before = [.. plain.Select(value => Stages.Framed(earlierId, [2, (byte)'x', .. value]))];

        var stage = new DecodeStage();
        foreach (bool isOld in (bool[])[false, true])
            stage.Add(servers, serde, type, isOld ? global::Avro.Schema.Parse(earlier) : type.Schema, isOld);
        double[][] nanoseconds = [.. stage._readers.Select(_ => new double[load.Runs])];
        long[] bytes = new long[stage._readers.Count];
        for (int run = 0; run <= load.Runs; run++)
        {
            for (int reader = 0; reader < stage._readers.Count; reader++)
            {
                byte[][] messages = stage._readers[reader].IsOld ? before : now;
                long allocated = GC.GetTotalAllocatedBytes();
                long started = Stopwatch.GetTimestamp();
                for (int i = 0; i < Messages; i++)
                    await stage._readers[reader].Decode(messages[i % messages.Length]).ConfigureAwait(false);
                TimeSpan elapsed = Stopwatch.GetElapsedTime(started);
                bytes[reader] = (GC.GetTotalAllocatedBytes() - allocated) / Messages;
                if (run > 0)
                    nanoseconds[reader][run - 1] = elapsed.TotalNanoseconds / Messages;
            }
        }

        stage.Print(nanoseconds, bytes);
    }

    private void Add(BenchServers servers, AvroMessageSerde serde, AvroRecordType type, global::Avro.Schema writer, bool isOld)
    {
        var context = new SerializationContext(MessageComponentType.Value, Topic);
        var generic = new AvroDeserializer<GenericRecord>(servers.Registry);
        var specific = new AvroDeserializer<AccountCredited>(servers.Registry);
        var genericReader = new GenericDatumReader<GenericRecord>(writer, type.Schema);
        var specificReader = new SpecificDatumReader<AccountCredited>(writer, type.Schema);
        _readers.Add(("this library", message =>
        {
            serde.Decode(message);
            return ValueTask.CompletedTask;
        }, isOld, IsOurs: true));
        _readers.Add(("Confluent AvroDeserializer<GenericRecord>", async message =>
            await generic.DeserializeAsync(message, isNull: false, context).ConfigureAwait(false), isOld, IsOurs: false));
        _readers.Add(("Confluent AvroDeserializer<AccountCredited>", async message =>
            await specific.DeserializeAsync(message, isNull: false, context).ConfigureAwait(false), isOld, IsOurs: false));
        _readers.Add(("Apache.Avro GenericDatumReader", message =>
        {
            genericReader.Read(null!, new BinaryDecoder(new MemoryStream(message, WireFormat.HeaderLength,
                message.Length - WireFormat.HeaderLength)));
            return ValueTask.CompletedTask;
        }, isOld, IsOurs: false));
        _readers.Add(("Apache.Avro SpecificDatumReader", message =>
        {
            specificReader.Read(null!, new BinaryDecoder(new MemoryStream(message, WireFormat.HeaderLength,
                message.Length - WireFormat.HeaderLength)));
            return ValueTask.CompletedTask;
        }, isOld, IsOurs: false));
    }

    private void Print(double[][] nanoseconds, long[] bytes)
    {
        foreach (bool isOld in (bool[])[false, true])
        {
            Console.WriteLine(isOld ? "decode: an earlier schema" : "decode: the schema of today");
            double ours = Median(nanoseconds[_readers.FindIndex(r => r.IsOld == isOld && r.IsOurs)]);
            foreach (int reader in Enumerable.Range(0, _readers.Count).Where(i => _readers[i].IsOld == isOld))
            {
                double median = Median(nanoseconds[reader]);
                string ratio = _readers[reader].IsOurs
                    ? ""
                    : string.Create(CultureInfo.InvariantCulture, $"  = {median / ours:0.0} × ours");
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"  {_readers[reader].Name,-44} {median,10:N0} ns {bytes[reader],8:N0} B{ratio}"));
            }
        }
    }

    private static double Median(double[] figures) => figures.Order().ElementAt(figures.Length / 2);
}
