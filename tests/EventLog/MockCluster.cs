using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog.Tests;

/// <summary>librdkafka's own cluster for tests: several brokers in this process, which answer what they are told to.</summary>
internal sealed class MockCluster : IDisposable
{
    public const short Fetch = 1;
    public const short ListOffsets = 2;

    private const string Library = "librdkafka";
    private const int Producer = 0;

    // The package's builds for several systems; the first needs a libsasl2 that not every machine has.
    private static readonly string[] s_builds = ["librdkafka", "centos8-librdkafka", "alpine-librdkafka"];
    private const int TextBytes = 512;

    private readonly IntPtr _client;
    private readonly IntPtr _cluster;
    private readonly int _brokers;

    static MockCluster() => NativeLibrary.SetDllImportResolver(typeof(MockCluster).Assembly, static (name, assembly, path) =>
    {
        IntPtr library = IntPtr.Zero;
        return name == Library && Array.Exists(s_builds, build => NativeLibrary.TryLoad(build, assembly, path, out library))
            ? library
            : IntPtr.Zero;
    });

    public MockCluster(int brokers)
    {
        _brokers = brokers;
        byte[] error = new byte[TextBytes];
        IntPtr conf = rd_kafka_conf_new();
        _ = rd_kafka_conf_set(conf, Text("log_level"), Text("0"), error, error.Length); // it has no brokers to reach, and says so
        _client = rd_kafka_new(Producer, conf, error, error.Length);
        if (_client == IntPtr.Zero)
            throw new InvalidOperationException(Encoding.UTF8.GetString(error));
        _cluster = rd_kafka_mock_cluster_new(_client, brokers);
        Connection = new KafkaConnection { BootstrapServers = Marshal.PtrToStringUTF8(rd_kafka_mock_cluster_bootstraps(_cluster))! };
    }

    public KafkaConnection Connection { get; }

    public void CreateTopic(string name, int partitions, int replicas)
    {
        if (rd_kafka_mock_topic_create(_cluster, Text(name), partitions, replicas) is var error && error != (int)ErrorCode.NoError)
            throw new KafkaException((ErrorCode)error);
    }

    /// <summary>The next <paramref name="count"/> requests of this kind are answered with <paramref name="error"/>.</summary>
    public void Refuse(short request, ErrorCode error, int count) =>
        rd_kafka_mock_push_request_errors_array(_cluster, request, (nuint)count, [.. Enumerable.Repeat((int)error, count)]);

    /// <summary>The next request of this kind to each broker is answered after <paramref name="delay"/>.</summary>
    public void Delay(short request, TimeSpan delay)
    {
        for (int broker = 1; broker <= _brokers; broker++)
        {
            if (rd_kafka_mock_broker_push_request_error_rtts(_cluster, broker, request, 1, 0, (int)delay.TotalMilliseconds) is var error
                && error != (int)ErrorCode.NoError)
                throw new KafkaException((ErrorCode)error);
        }
    }

    /// <summary>From now on they are answered.</summary>
    public void Mend(short request) => rd_kafka_mock_clear_request_errors(_cluster, request);

    public void Dispose()
    {
        rd_kafka_mock_cluster_destroy(_cluster);
        rd_kafka_destroy(_client);
    }

    private static byte[] Text(string text) => [.. Encoding.UTF8.GetBytes(text), 0];

#pragma warning disable IDE1006 // the library's names
    [DllImport(Library)]
    private static extern IntPtr rd_kafka_conf_new();

    [DllImport(Library)]
    private static extern int rd_kafka_conf_set(IntPtr conf, byte[] name, byte[] value, byte[] error, nint errorBytes);

    [DllImport(Library)]
    private static extern IntPtr rd_kafka_new(int type, IntPtr conf, byte[] error, nint errorBytes);

    [DllImport(Library)]
    private static extern void rd_kafka_destroy(IntPtr client);

    [DllImport(Library)]
    private static extern IntPtr rd_kafka_mock_cluster_new(IntPtr client, int brokers);

    [DllImport(Library)]
    private static extern void rd_kafka_mock_cluster_destroy(IntPtr cluster);

    [DllImport(Library)]
    private static extern IntPtr rd_kafka_mock_cluster_bootstraps(IntPtr cluster);

    [DllImport(Library)]
    private static extern int rd_kafka_mock_topic_create(IntPtr cluster, byte[] topic, int partitions, int replicas);

    [DllImport(Library)]
    private static extern void rd_kafka_mock_push_request_errors_array(IntPtr cluster, short request, nuint count, int[] errors);

    [DllImport(Library)]
    private static extern void rd_kafka_mock_clear_request_errors(IntPtr cluster, short request);

    // The library's is variadic: a count of pairs, and the pairs.
    [DllImport(Library)]
    private static extern int rd_kafka_mock_broker_push_request_error_rtts(
        IntPtr cluster, int broker, short request, nuint count, int error, int milliseconds);
#pragma warning restore IDE1006
}
