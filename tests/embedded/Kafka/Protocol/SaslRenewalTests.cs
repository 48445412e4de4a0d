using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>Logins that end, and are renewed on their connection (KIP-368).</summary>
public sealed class SaslRenewalTests : IAsyncLifetime
{
    private const string Plain = "PLAIN";
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(5);
    private readonly Clock _clock = new();
    private EmbeddedKafka _kafka = null!;
    private RawClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        var options = new EmbeddedKafkaOptions
        {
            SaslUsers = new Dictionary<string, string> { ["alice"] = "secret", ["bob"] = "hunter2" },
            SaslSessionLifetime = Lifetime,
        };
        _kafka = await EmbeddedKafka.StartAsync(options, timeProvider: _clock, cancellationToken: TestContext.Current.CancellationToken);
        _client = new RawClient(_kafka);
        LogIn("alice", "secret").SessionLifetimeMs.ShouldBe((long)Lifetime.TotalMilliseconds);
        IsServed();
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return _kafka.DisposeAsync();
    }

    [Fact]
    public void Login_that_is_renewed_goes_on_before_and_after_its_end()
    {
        for (int i = 0; i < 3; i++)
        {
            _clock.Advance(i == 1 ? Lifetime * 2 : Lifetime / 2);
            (LogIn("alice", "secret") is { ErrorCode: 0 } renewed
                ? renewed.SessionLifetimeMs
                : 0).ShouldBe((long)Lifetime.TotalMilliseconds);
            IsServed();
        }
    }

    [Fact]
    public void Login_that_is_not_renewed_ends_the_connection_with_the_next_request()
    {
        _clock.Advance(Lifetime * 2);
        Post();
        _client.Receive().ShouldBeNull();
    }

    [Fact]
    public void Renewal_cannot_change_the_user()
    {
        SaslAuthenticateResponse other = LogIn("bob", "hunter2");
        (other.ErrorCode, other.ErrorMessage).ShouldBe(
            ((short)ErrorCode.SaslAuthenticationFailed, "Cannot change principals during re-authentication from User.alice: User.bob"));
        _client.Receive().ShouldBeNull();
    }

    [Fact]
    public void Renewal_cannot_change_the_mechanism()
    {
        SaslAuthenticateResponse other = LogIn("alice", "secret", "SCRAM-SHA-256");
        (other.ErrorCode, other.ErrorMessage).ShouldBe(((short)ErrorCode.SaslAuthenticationFailed,
            "SASL mechanism 'SCRAM-SHA-256' requested by client is not supported for re-authentication of mechanism 'PLAIN'"));
        _client.Receive().ShouldBeNull();
    }

    [Fact]
    public void Second_renewal_within_a_second_is_refused()
    {
        LogIn("alice", "secret").ErrorCode.ShouldBe((short)ErrorCode.None);
        Handshake(Plain).ShouldBe(ErrorCode.IllegalSaslState);
        IsServed();
    }

    private SaslAuthenticateResponse LogIn(string user, string password, string mechanism = Plain)
    {
        Handshake(mechanism).ShouldBe(ErrorCode.None);
        byte[] token = System.Text.Encoding.UTF8.GetBytes($"\0{user}\0{password}");
        return _client.Ask<SaslAuthenticateRequest, SaslAuthenticateResponse>(new SaslAuthenticateRequest { AuthBytes = token }, 2,
            SaslAuthenticateResponse.Read);
    }

    private ErrorCode Handshake(string mechanism) =>
        (ErrorCode)_client.Ask<SaslHandshakeRequest, SaslHandshakeResponse>(new SaslHandshakeRequest { Mechanism = mechanism }, 1,
            SaslHandshakeResponse.Read).ErrorCode;

    private void Post() => _client.Post<DescribeClusterRequest>(0, writer => new DescribeClusterRequest().Write(writer, 0));

    private void IsServed()
    {
        Post();
        _client.Answer<DescribeClusterRequest, DescribeClusterResponse>(0, DescribeClusterResponse.Read).Brokers.Count.ShouldBe(1);
    }

    private sealed class Clock : TimeProvider
    {
        private long _ahead;

        public override long GetTimestamp() => base.GetTimestamp() + Interlocked.Read(ref _ahead);

        public void Advance(TimeSpan time) => Interlocked.Add(ref _ahead, (long)(time.TotalSeconds * TimestampFrequency));
    }
}
