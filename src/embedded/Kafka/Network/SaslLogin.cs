using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Requests;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Network;

/// <summary>What a connection may say before it is logged in: SaslHandshake, then SaslAuthenticate, or after a handshake of version 0 the bare tokens (KIP-43, KIP-152).</summary>
internal sealed class SaslLogin(Broker broker)
{
    private SaslSession? _session;

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
                string mechanism = SaslHandshakeRequest.Read(ref reader, header.ApiVersion).Mechanism;
                bool known = SaslSession.Mechanisms.Contains(mechanism);
                if (known)
                    _session = new SaslSession(mechanism, broker.Options.SaslUsers, broker.Scram);
                (IsRaw, Failed) = (known && header.ApiVersion == 0, !known);
                return new SaslHandshakeResponse { ErrorCode = (short)(known ? ErrorCode.None : ErrorCode.UnsupportedSaslMechanism), Mechanisms = [.. SaslSession.Mechanisms] };
            case SaslAuthenticateRequest.ApiKey:
                ReadOnlyMemory<byte> token = SaslAuthenticateRequest.Read(ref reader, header.ApiVersion).AuthBytes;
                SaslStep step = _session?.Step(token.Span) ?? new SaslStep([], Failure: "SaslAuthenticate request received before a SaslHandshake");
                (IsDone, Failed) = (step.Done, step.Failure is not null);
                return new SaslAuthenticateResponse { ErrorCode = (short)(Failed ? ErrorCode.SaslAuthenticationFailed : ErrorCode.None), ErrorMessage = step.Failure, AuthBytes = step.Answer };
            default:
                throw new MalformedRequestException($"The API {header.ApiKey} was asked for before the login.");
        }
    }

    /// <summary>Answers a bare token; true: the client is in.</summary>
    /// <exception cref="MalformedRequestException">The login failed.</exception>
    public bool AnswerRaw(KafkaWriter writer, ReadOnlySpan<byte> token)
    {
        SaslStep step = _session!.Step(token);
        if (step.Failure is { } reason)
            throw new MalformedRequestException(reason);
        writer.WriteInt32(step.Answer.Length);
        writer.WriteRaw(step.Answer);
        return step.Done;
    }
}
