using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>
/// Requests that nobody should send. The seed is fixed, so a failure comes again; <c>KES_FUZZ_ROUNDS</c> and <c>KES_FUZZ_MINUTES</c> make a
/// run longer and <c>KES_FUZZ_SEED</c> makes it another one.
/// </summary>
public sealed class FuzzTests
{
    private static readonly int Rounds = Setting("KES_FUZZ_ROUNDS", 3_000);
    private static readonly int Seed = Setting("KES_FUZZ_SEED", 20_260_101);
    private static readonly TimeSpan AtLeast = TimeSpan.FromMinutes(Setting("KES_FUZZ_MINUTES", 0));

    private static readonly Type[] Requests = [.. typeof(EmbeddedKafka).Assembly.GetTypes().Where(t =>
        t.GetInterfaces().Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IKafkaRequest<>)))];
    private static readonly MethodInfo Probe = typeof(FuzzTests).GetMethod(nameof(ProbeOne), BindingFlags.NonPublic | BindingFlags.Static)!;

    private delegate bool Parse(ReadOnlyMemory<byte> body, short version);

    [Fact]
    public void Every_message_in_every_version_is_read_as_it_was_written()
    {
        Requests.Length.ShouldBeGreaterThan(50);
        foreach ((ApiVersionRange api, Func<short, byte[]> write, Parse parse) in Requests.Select(Codec))
        {
            for (short version = api.MinVersion; version <= api.MaxVersion; version++)
                parse(write(version), version).ShouldBeTrue($"API {api.Key} version {version}");
        }
    }

    [Fact]
    public void Parser_takes_any_bytes_or_says_that_they_are_malformed()
    {
        var random = new Random(Seed);
        var codecs = Requests.Select(Codec).ToArray();
        long started = TimeProvider.System.GetTimestamp();
        long round = 0;
        for (; round < Rounds * 10L || TimeProvider.System.GetElapsedTime(started) < AtLeast; round++)
        {
            (ApiVersionRange api, Func<short, byte[]> write, Parse parse) = codecs[random.Next(codecs.Length)];
            short version = (short)random.Next(api.MinVersion, api.MaxVersion + 1);
            byte[] body = random.Next(3) == 0 ? Noise(random, 200) : Mutate(random, write(version));
            long before = GC.GetAllocatedBytesForCurrentThread();
            parse(body, version);
            (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(1_000_000,
                $"seed {Seed}, round {round}: {body.Length} bytes cost that much memory");
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"seed {Seed}: {round} bodies in {TimeProvider.System.GetElapsedTime(started)}");
    }

    [Fact]
    public async Task Broker_survives_garbage_and_serves_the_next_client()
    {
        using var faults = new FaultCollector();
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions
        {
            MaxRequestBytes = 1_000_000, MaxPartitions = 4,
        }, faults, cancellationToken: TestContext.Current.CancellationToken);
        using var healthy = new RawClient(kafka);
        var random = new Random(Seed);
        var codecs = Requests.Select(Codec).ToArray();
        long started = TimeProvider.System.GetTimestamp();
        long round = 0;
        for (; round < Rounds || TimeProvider.System.GetElapsedTime(started) < AtLeast; round++)
        {
            (ApiVersionRange api, Func<short, byte[]> write, _) = codecs[random.Next(codecs.Length)];
            short version = (short)random.Next(api.MinVersion, api.MaxVersion + 1);
            byte[] frame = RawClient.Frame(api, version, writer => writer.WriteRaw(Mutate(random, write(version))));
            if (random.Next(4) == 0)
                frame = random.Next(2) == 0 ? Noise(random, 100) : frame[..random.Next(1, frame.Length)];
            using (var attacker = new RawClient(kafka))
                attacker.Send(frame);
            if (round % 50 == 0)
                healthy.Ask<ApiVersionsRequest, ApiVersionsResponse>(new ApiVersionsRequest(), 3, ApiVersionsResponse.Read).ErrorCode
                    .ShouldBe((short)0);
        }

        healthy.Ask<MetadataRequest, MetadataResponse>(new MetadataRequest { Topics = null }, 12, MetadataResponse.Read).Brokers.Count
            .ShouldBe(1);
        faults.Faults.ShouldBeEmpty($"seed {Seed}");
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {Seed}: {round} requests in {TimeProvider.System.GetElapsedTime(started)}");
    }

    private static (ApiVersionRange Api, Func<short, byte[]> Write, Parse Parse) Codec(Type type) =>
        ((ApiVersionRange, Func<short, byte[]>, Parse))Probe.MakeGenericMethod(type).Invoke(null, null)!;

    private static (ApiVersionRange Api, Func<short, byte[]> Write, Parse Parse) ProbeOne<T>()
        where T : IKafkaRequest<T>, new()
    {
        return (T.Api, Write, Read);
        static byte[] Write(short version)
        {
            using var writer = new KafkaWriter();
            ((T)Populate(typeof(T), depth: 0)).Write(writer, version);
            return writer.Written.ToArray();
        }

        static bool Read(ReadOnlyMemory<byte> body, short version)
        {
            try
            {
                var reader = new KafkaReader(body);
                T.Read(ref reader, version);
                return reader.Remaining == 0;
            }
            catch (MalformedRequestException)
            {
                return false;
            }
        }
    }

    // Every array has one item, so that a change of bytes hits every kind of field.
    private static object Populate(Type type, int depth)
    {
        object message = Activator.CreateInstance(type)!;
        foreach (PropertyInfo property in type.GetProperties().Where(p => p.CanWrite))
        {
            Type kind = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            if (kind == typeof(string))
                property.SetValue(message, "t");
            else if (kind == typeof(ReadOnlyMemory<byte>))
                property.SetValue(message, new ReadOnlyMemory<byte>([1, 2, 3]));
            else if (kind.IsGenericType && kind.GetGenericTypeDefinition() == typeof(List<>))
            {
                var list = (System.Collections.IList)Activator.CreateInstance(kind)!;
                Type item = kind.GetGenericArguments()[0];
                list.Add(item == typeof(string) ? "t" : item.IsValueType ? Activator.CreateInstance(item) : Populate(item, depth + 1));
                property.SetValue(message, list);
            }
            else if (kind.IsClass && depth < 5)
                property.SetValue(message, Populate(kind, depth + 1));
        }

        return message;
    }

    private static byte[] Mutate(Random random, byte[] bytes)
    {
        byte[] changed = random.Next(5) == 0 ? bytes[..random.Next(bytes.Length + 1)] : (byte[])bytes.Clone();
        for (int i = random.Next(4); i > 0 && changed.Length > 0; i--)
        {
            int at = random.Next(changed.Length);
            changed[at] = random.Next(3) switch { 0 => (byte)random.Next(256), 1 => (byte)0xff, _ =>
                (byte)(changed[at] ^ (1 << random.Next(8))) };
        }

        return changed;
    }

    private static byte[] Noise(Random random, int max)
    {
        byte[] bytes = new byte[random.Next(1, max)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value) ? value : otherwise;

    private sealed class FaultCollector : ILoggerFactory, ILogger
    {
        public ConcurrentQueue<string> Faults { get; } = [];

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                Faults.Enqueue($"{formatter(state, exception)} {exception}");
        }

        public void Dispose()
        {
        }
    }
}
