using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Requests;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Network;

/// <summary>
/// What a connection may say before it is logged in: SaslHandshake, then SaslAuthenticate, or after a handshake of version 0 the bare
/// tokens (KIP-43, KIP-152). A login that is <paramref name="renewed"/> keeps its mechanism and its user (KIP-368).
/// </summary>
internal sealed class SaslLogin(Broker broker, (string Mechanism, string User)? renewed = null)
{
    private SaslSession? _session;

    public string Mechanism { get; private set; } = "";

    public bool IsRaw { get; private set; }

    public bool IsDone { get; private set; }

    public bool Failed { get; private set; }

    public string User => _session?.User ?? "";

    /// <exception cref="MalformedRequestException">Another request: it comes too early.</exception>
    public IKafkaResponse Answer(RequestHeader header, ReadOnlyMemory<byte> body)
    {
        var reader = new KafkaReader(body);
        switch (header.ApiKey)
        {
            case SaslHandshakeRequest.ApiKey:
                Mechanism = SaslHandshakeRequest.Read(ref reader, header.ApiVersion).Mechanism;
                bool known = SaslSession.Mechanisms.Contains(Mechanism);
                if (known)
                    _session = new SaslSession(Mechanism, broker.Options.SaslUsers, broker.Scram);
                (IsRaw, Failed) = (known && header.ApiVersion == 0, !known);
                return new SaslHandshakeResponse
                {
                    ErrorCode = (short)(known ? ErrorCode.None : ErrorCode.UnsupportedSaslMechanism),
                    Mechanisms = [.. SaslSession.Mechanisms],
                };
            case SaslAuthenticateRequest.ApiKey:
                ReadOnlyMemory<byte> token = SaslAuthenticateRequest.Read(ref reader, header.ApiVersion).AuthBytes;
                SaslStep step = Step(token.Span);
                (IsDone, Failed) = (step.Done, step.Failure is not null);
                return new SaslAuthenticateResponse
                {
                    ErrorCode = (short)(Failed ? ErrorCode.SaslAuthenticationFailed : ErrorCode.None),
                    ErrorMessage = step.Failure,
                    AuthBytes = step.Answer,
                    SessionLifetimeMs = IsDone ? (long)broker.Options.SaslSessionLifetime.TotalMilliseconds : 0,
                };
            default:
                throw new MalformedRequestException($"The API {header.ApiKey} was asked for before the login.");
        }
    }

    /// <summary>Answers a bare token; true: the client is in.</summary>
    /// <exception cref="MalformedRequestException">The login failed.</exception>
    public bool AnswerRaw(KafkaWriter writer, ReadOnlySpan<byte> token)
    {
        SaslStep step = Step(token);
        if (step.Failure is { } reason)
            throw new MalformedRequestException(reason);
        writer.WriteInt32(step.Answer.Length);
        writer.WriteRaw(step.Answer);
        return step.Done;
    }

    private SaslStep Step(ReadOnlySpan<byte> token)
    {
        if (_session is null)
            return new SaslStep([], Failure: "SaslAuthenticate request received before a SaslHandshake");
        if (renewed is { } last && last.Mechanism != Mechanism)
            return new SaslStep([],
                Failure: $"SASL mechanism '{Mechanism}' requested by client is not supported for re-authentication of mechanism "
                    + $"'{last.Mechanism}'");
        SaslStep step = _session.Step(token);
        return step.Done && renewed is { } was && was.User != User
            ? new SaslStep([], Failure: $"Cannot change principals during re-authentication from User.{was.User}: User.{User}")
            : step;
    }
}
