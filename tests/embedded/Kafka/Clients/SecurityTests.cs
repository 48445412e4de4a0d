using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Clients;

/// <summary>Logging in, and TLS, as Confluent's client does it.</summary>
public sealed class SecurityTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly EmbeddedKafkaOptions WithUsers = new()
    {
        SaslUsers = new Dictionary<string, string> { ["alice"] = "se,cr=et" },
    };

    [Theory]
    [InlineData(SaslMechanism.Plain)]
    [InlineData(SaslMechanism.ScramSha256)]
    [InlineData(SaslMechanism.ScramSha512)]
    public async Task Login_with_the_right_password_is_served(SaslMechanism mechanism)
    {
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(WithUsers,
            cancellationToken: TestContext.Current.CancellationToken);
        using IAdminClient admin = Admin(kafka, mechanism, "alice", "se,cr=et", out _);
        admin.GetMetadata(Patience).Brokers.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(SaslMechanism.Plain)]
    [InlineData(SaslMechanism.ScramSha256)]
    [InlineData(SaslMechanism.ScramSha512)]
    public async Task Login_with_a_wrong_password_is_refused_with_the_reason(SaslMechanism mechanism)
    {
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(WithUsers,
            cancellationToken: TestContext.Current.CancellationToken);
        using IAdminClient admin = Admin(kafka, mechanism, "alice", "guessed", out Task<Error> error);
        (await error.WaitAsync(Patience, TestContext.Current.CancellationToken)).Code.ShouldBe(ErrorCode.Local_Authentication);
    }

    [Fact]
    public async Task Request_before_the_login_is_not_answered()
    {
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(WithUsers,
            cancellationToken: TestContext.Current.CancellationToken);
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = kafka.BootstrapServers }).SetLogHandler(
            (_, _) => { }).Build();
        Should.Throw<KafkaException>(() => admin.GetMetadata(TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public async Task Scram_user_added_through_the_protocol_can_log_in_and_survives_a_restart()
    {
        string directory = Directory.CreateTempSubdirectory("kafka-scram-").FullName;
        try
        {
            EmbeddedKafkaOptions options = WithUsers with { DataDirectory = directory };
            await using (EmbeddedKafka first = await EmbeddedKafka.StartAsync(options,
                cancellationToken: TestContext.Current.CancellationToken))
            {
                using IAdminClient admin = Admin(first, SaslMechanism.Plain, "alice", "se,cr=et", out _);
                await admin.AlterUserScramCredentialsAsync([new UserScramCredentialUpsertion
                {
                    User = "bob",
                    Password = "hunter2"u8.ToArray(),
                    Salt = RandomNumberGenerator.GetBytes(16),
                    ScramCredentialInfo = new ScramCredentialInfo { Mechanism = ScramMechanism.ScramSha256, Iterations = 5000 },
                }]);
                DescribeUserScramCredentialsResult described = await admin.DescribeUserScramCredentialsAsync(["bob"]);
                described.UserScramCredentialsDescriptions[0].ScramCredentialInfos[0].Iterations.ShouldBe(5000);
            }

            await using EmbeddedKafka second = await EmbeddedKafka.StartAsync(options,
                cancellationToken: TestContext.Current.CancellationToken);
            using IAdminClient bob = Admin(second, SaslMechanism.ScramSha256, "bob", "hunter2", out _);
            bob.GetMetadata(Patience).Brokers.Count.ShouldBe(1);
            await bob.AlterUserScramCredentialsAsync(
                [new UserScramCredentialDeletion { User = "bob", Mechanism = ScramMechanism.ScramSha256 }]);
            using IAdminClient gone = Admin(second, SaslMechanism.ScramSha256, "bob", "hunter2", out Task<Error> error);
            (await error.WaitAsync(Patience, TestContext.Current.CancellationToken)).Code.ShouldBe(ErrorCode.Local_Authentication);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task Tls_listener_is_served_and_plain_text_is_not()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions { TlsCertificate = certificate },
            cancellationToken: TestContext.Current.CancellationToken);
        var config = new ProducerConfig
        {
            BootstrapServers = kafka.BootstrapServers, SecurityProtocol = SecurityProtocol.Ssl, EnableSslCertificateVerification = false,
        };
        using IAdminClient admin = new AdminClientBuilder(config).SetLogHandler((_, _) => { }).Build();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = "secret", NumPartitions = 1, ReplicationFactor = 1 }]);
        using IProducer<string, string> producer = new ProducerBuilder<string, string>(config).SetLogHandler((_, _) => { }).Build();
        string large = new('x', 900_000);
        await producer.ProduceAsync("secret", new Message<string, string> { Value = large }, TestContext.Current.CancellationToken);
        using IConsumer<string, string> consumer = new ConsumerBuilder<string, string>(
            new ConsumerConfig(config) { GroupId = "g", AutoOffsetReset = AutoOffsetReset.Earliest }).SetLogHandler((_, _) => { }).Build();
        consumer.Assign(new TopicPartitionOffset("secret", 0, 0));
        consumer.Consume(Patience).Message.Value.ShouldBe(large);
        using IAdminClient plain = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = kafka.BootstrapServers })
            .SetLogHandler((_, _) => { }).Build();
        Should.Throw<KafkaException>(() => plain.GetMetadata(TimeSpan.FromSeconds(1)));
    }

    private static IAdminClient Admin(EmbeddedKafka kafka, SaslMechanism mechanism, string user, string password,
        out Task<Error> authenticationError)
    {
        var seen = new TaskCompletionSource<Error>(TaskCreationOptions.RunContinuationsAsynchronously);
        authenticationError = seen.Task;
        return new AdminClientBuilder(new AdminClientConfig
        {
            BootstrapServers = kafka.BootstrapServers,
            SecurityProtocol = SecurityProtocol.SaslPlaintext,
            SaslMechanism = mechanism,
            SaslUsername = user,
            SaslPassword = password,
        }).SetErrorHandler((_, error) =>
        {
            if (error.Code == ErrorCode.Local_Authentication)
                seen.TrySetResult(error);
        }).SetLogHandler((_, _) => { }).Build();
    }
}
