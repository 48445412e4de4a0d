using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Testing;
using RocksDbSharp;

namespace KafkaEventSourcing.Cli.Tests;

/// <summary>What of a person is left, by <c>kes erase --verify</c>.</summary>
public sealed class EraseTests(RunningKes servers) : KesCommands(servers), IClassFixture<RunningKes>
{
    private const string Value = "Zdenka Qwzlxjv";

    [Fact]
    public async Task Verify_finds_values_in_topics_stores_and_files_in_each_form_and_says_where()
    {
        await CreateTopic("e1.person.events", 1);
        string folder = Path.Combine(Folder, "node");
        Directory.CreateDirectory(folder);
        string[] Command(params string[] more) => ["erase", "p1", "--app", "e1", "--verify", Value, .. more];
        ProgramRun nothing = await Run(Command("--data", folder));
        (nothing.ExitCode, nothing.Output).ShouldBe((0, "0 places; searched: 0 records of topics, 0 files, 0 entries of state stores.\n"));

        using (IProducer<byte[], byte[]> producer =
            new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = Servers.Kafka }).Build())
        {
            byte[] plain = [7, .. Encoding.UTF8.GetBytes(Value), 9];
            foreach (byte[] value in (byte[][])[plain, Encoding.Unicode.GetBytes(Value),
                Encoding.ASCII.GetBytes(Convert.ToBase64String([1, .. plain])),
                Encoding.ASCII.GetBytes(Convert.ToBase64String([1, 2, .. plain]))])
                await producer.ProduceAsync("e1.person.events", new Message<byte[], byte[]> { Key = [1], Value = value }, Cancellation);
            await producer.ProduceAsync("e1.person.events", new Message<byte[], byte[]>
            {
                Key = plain, Value = [1], Headers = new Headers { { "note", plain } },
            }, Cancellation);
        }

        using (RocksDb store = RocksDb.Open(new DbOptions().SetCreateIfMissing().SetCompression(Compression.Lz4),
            Path.Combine(folder, "state")))
            store.Put("key"u8, Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat($"{Value} and ", 100))));
        // over the edge of what is read at once
        await File.WriteAllTextAsync(Path.Combine(folder, "long.log"), new string('x', (1 << 20) - 5) + Value, Cancellation);

        ProgramRun found = await Run(Command("--data", folder));
        found.ExitCode.ShouldBe(1);
        foreach (string place in (string[])["e1.person.events 0@0, value: value 1 as UTF-8",
            "e1.person.events 0@1, value: value 1 as UTF-16",
            "e1.person.events 0@2, value: value 1 as base64", "e1.person.events 0@3, value: value 1 as base64",
            "e1.person.events 0@4, key: value 1 as UTF-8", "e1.person.events 0@4, header note: value 1 as UTF-8",
            "long.log: value 1 as UTF-8", "state, entry 6b6579: value 1 as UTF-8"])
            found.Output.ShouldContain(place);
        found.Output.ShouldNotContain(Value); // not even here
    }

    [Fact]
    public async Task Erase_of_an_application_without_keys_or_with_wrong_options_is_wrong_usage()
    {
        ProgramRun none = await Run("erase", "p1", "--app", "e2");
        (none.ExitCode, none.Output.Contains("There is no topic e2.subject-keys", StringComparison.Ordinal)).ShouldBe((2, true));
        (await Run("erase", "p1", "--app", "e2", "--verify", "ab")).Output.ShouldContain("value 1 has less than 3 bytes");
        (await Run("erase", "p1", "--app", "e2", "--data", ".")).ExitCode.ShouldBe(2);
        (await Run("subject-keys", "rewrap", "--app", "e2")).Output.ShouldContain("--master-key-file is missing");
    }
}
