using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Requests;
using KafkaEventSourcing.Embedded.Kafka.Server;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Network;

/// <summary>
/// One client: its requests are answered one after the other, in order, as Kafka does. Requests that came together are answered together.
/// What a client sends wrong, or not at all, ends this connection only.
/// </summary>
internal sealed partial class Connection : IDisposable
{
    private const int MinRequest = 8;
    private const int MaxLoginBytes = 512 * 1024;
    private const int FlushBytes = 64 * 1024;
    private const int SendChunk = 1024 * 1024;
    private static readonly TimeSpan MinRenewalInterval = TimeSpan.FromSeconds(1);

    private readonly Socket _socket;
    private readonly RequestDispatcher _dispatcher;
    private readonly Broker _broker;
    private readonly ILogger _logger;
    private readonly string _client;
    private readonly ReceiveBuffer _received;
    private readonly KafkaWriter _writer = new();
    private readonly List<ArraySegment<byte>> _segments = [];
    private SslStream? _tls;
    private SaslLogin? _login;
    private (string Mechanism, string User)? _loggedIn;
    private long _loggedInAt;
    private long? _renewedAt;
    private string _user = "ANONYMOUS";
    private long _progress;
    private volatile Activity _activity = Activity.Receiving;

    public Connection(Socket socket, RequestDispatcher dispatcher, Broker broker, MemoryBudget budget)
    {
        (_socket, _dispatcher, _broker, _logger) = (socket, dispatcher, broker, broker.Logger);
        _client = (socket.RemoteEndPoint as IPEndPoint)?.Address.ToString() ?? "unknown";
        _received = new ReceiveBuffer(budget);
        _login = broker.Options.SaslUsers.Count > 0 ? new SaslLogin(broker) : null;
        _progress = broker.Time.GetTimestamp();
    }

    private enum Activity
    {
        Idle,
        Receiving,
        Sending,
        Answering,
    }

    public async Task Serve(CancellationToken cancellationToken)
    {
        try
        {
            if (_broker.Certificate is { } certificate)
            {
                _tls = new SslStream(new NetworkStream(_socket, ownsSocket: false));
                try
                {
                    await _tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificateContext = certificate },
                        cancellationToken).ConfigureAwait(false);
                }
                catch (Exception failed) when (failed is AuthenticationException or IOException)
                {
                    LogNoTls(_logger, _client, failed.Message);
                    return;
                }
            }

            while (true)
            {
                while (_received.TryTake(_login is null ? MinRequest : 0, _login is null ? _broker.Options.MaxRequestBytes : MaxLoginBytes,
                    out Memory<byte> request))
                    await Answer(request, cancellationToken).ConfigureAwait(false);
                await Flush(cancellationToken).ConfigureAwait(false);
                Memory<byte> room = await _received.Room(cancellationToken).ConfigureAwait(false);
                // A login must be over in time; silence between requests may last longer than within one.
                Now(_received.IsEmpty && _login is null ? Activity.Idle : _activity == Activity.Receiving ? null : Activity.Receiving);
                int read = _tls is null
                    ? await _socket.ReceiveAsync(room, cancellationToken).ConfigureAwait(false)
                    : await _tls.ReadAsync(room, cancellationToken).ConfigureAwait(false);
                if (read == 0)
                    return;
                _received.Received(read);
                if (_login is null)
                    Now(Activity.Receiving);
            }
        }
        catch (MalformedRequestException malformed)
        {
            LogMalformed(_logger, _client, malformed.Message);
        }
        catch (Exception closed) when (closed is SocketException or IOException or AuthenticationException or OperationCanceledException
            or ObjectDisposedException)
        {
            // The client is gone, or the broker stops.
        }
        catch (Exception failure)
        {
            LogFailed(_logger, failure, _client);
        }
    }

    /// <summary>Closes the connection when nothing went on for too long.</summary>
    public void CloseIfStalled()
    {
        TimeSpan silent = _broker.Time.GetElapsedTime(Interlocked.Read(ref _progress));
        if (_activity switch { Activity.Idle => silent > _broker.Options.ConnectionMaxIdle, Activity.Answering => false, _ =>
            silent > _broker.Options.RequestStall })
            _socket.Dispose();
    }

    public void Close() => _socket.Dispose();

    public void Dispose()
    {
        _tls?.Dispose();
        _socket.Dispose();
        _received.Dispose();
        _writer.Dispose();
    }

    private void Now(Activity? activity)
    {
        if (activity is not { } next)
            return;
        Interlocked.Exchange(ref _progress, _broker.Time.GetTimestamp());
        _activity = next;
    }

    private async ValueTask Answer(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        if (_login is { IsRaw: true })
        {
            if (_login.AnswerRaw(_writer, request.Span))
                LoggedIn();
            return;
        }

        RequestHeader header = ReadHeader(request, out Api? api, out int bodyStart);
        if (api is null || header.ApiVersion < api.Range.MinVersion || header.ApiVersion > api.Range.MaxVersion)
        {
            // A client that speaks a version of ApiVersions that we do not learns ours (KIP-511); anything else it had no right to send.
            if (header.ApiKey != ApiVersionsRequest.ApiKey)
                throw new MalformedRequestException($"The API {header.ApiKey} in version {header.ApiVersion} is not offered.");
            Write(header, 0, isFlexible: false, _dispatcher.Versions(ErrorCode.UnsupportedVersion));
            return;
        }

        if (_loggedIn is not null && _login is null && _broker.Options.SaslSessionLifetime > TimeSpan.Zero)
            RenewOrExpire(header.ApiKey);
        bool isFlexible = header.ApiVersion >= api.Range.FlexibleFrom && header.ApiKey != ApiVersionsRequest.ApiKey;
        if (_login is not null && header.ApiKey != ApiVersionsRequest.ApiKey)
        {
            IKafkaResponse login = _login.Answer(header, request[bodyStart..]);
            Write(header, header.ApiVersion, isFlexible, login);
            if (_login.Failed)
            {
                await Flush(cancellationToken).ConfigureAwait(false);
                throw new MalformedRequestException("The login failed.");
            }

            if (_login.IsDone)
                LoggedIn();
            return;
        }

        ValueTask<IKafkaResponse?> answering = api.Handle(new RequestContext(header.ClientId, "/" + _client, header.ApiVersion, _user),
            request[bodyStart..]);
        if (!answering.IsCompleted)
        {
            await Flush(cancellationToken).ConfigureAwait(false);
            Now(Activity.Answering);
        }

        if (await answering.ConfigureAwait(false) is { } response)
        {
            if (response is IDisposable memory)
                _writer.Keep(memory);
            Write(header, header.ApiVersion, isFlexible, response);
        }

        if (_writer.Length + _writer.InsertedBytes > FlushBytes)
            await Flush(cancellationToken).ConfigureAwait(false);
    }

    private void LoggedIn()
    {
        _user = _login!.User;
        (_loggedIn, _login, _loggedInAt) = ((_login.Mechanism, _user), null, _broker.Time.GetTimestamp());
    }

    // A client renews its login before or after the end of it, by a new handshake, once a second at most; after the end nothing else is
    // answered (KIP-368).
    private void RenewOrExpire(short apiKey)
    {
        if (apiKey == SaslHandshakeRequest.ApiKey
            && (_renewedAt is not { } last || _broker.Time.GetElapsedTime(last) >= MinRenewalInterval))
            (_login, _renewedAt) = (new SaslLogin(_broker, _loggedIn), _broker.Time.GetTimestamp());
        else if (_broker.Time.GetElapsedTime(_loggedInAt) > _broker.Options.SaslSessionLifetime)
            throw new MalformedRequestException("The login has expired.");
    }

    // The response header has tags from the flexible versions on, but for ApiVersions.
    private void Write(RequestHeader header, short version, bool isFlexible, IKafkaResponse response)
    {
        (int start, long inserted) = (_writer.Length, _writer.InsertedBytes);
        _writer.WriteInt32(0);
        _writer.WriteInt32(header.CorrelationId);
        if (isFlexible)
            _writer.WriteUnsignedVarint(0);
        response.Write(_writer, version);
        long length = _writer.Length - start - sizeof(int) + _writer.InsertedBytes - inserted;
        BinaryPrimitives.WriteInt32BigEndian(_writer.Written.Span[start..], checked((int)length));
    }

    private async ValueTask Flush(CancellationToken cancellationToken)
    {
        if (_writer.Length == 0)
            return;
        Now(Activity.Sending);
        if (_tls is null && _writer.InsertedBytes == 0)
        {
            for (ReadOnlyMemory<byte> rest = _writer.Written; rest.Length > 0;)
                rest = rest[await _socket.SendAsync(rest, cancellationToken).ConfigureAwait(false)..];
        }
        else
        {
            _segments.Clear();
            _writer.Gather(_segments);
            if (_tls is null && _writer.InsertedBytes <= SendChunk)
                await _socket.SendAsync(_segments, SocketFlags.None).ConfigureAwait(false);
            else
                await SendInChunks(cancellationToken).ConfigureAwait(false);
            _segments.Clear();
        }

        _writer.Reset();
    }

    // A reader that takes a large answer slowly, but takes it, is not stalled.
    private async ValueTask SendInChunks(CancellationToken cancellationToken)
    {
        foreach (ArraySegment<byte> segment in _segments)
        {
            for (ReadOnlyMemory<byte> rest = segment; rest.Length > 0;)
            {
                ReadOnlyMemory<byte> chunk = rest[..Math.Min(SendChunk, rest.Length)];
                int sent = chunk.Length;
                if (_tls is null)
                    sent = await _socket.SendAsync(chunk, cancellationToken).ConfigureAwait(false);
                else
                    await _tls.WriteAsync(chunk, cancellationToken).ConfigureAwait(false);
                rest = rest[sent..];
                Now(Activity.Sending);
            }
        }
    }

    private RequestHeader ReadHeader(ReadOnlyMemory<byte> request, out Api? api, out int bodyStart)
    {
        var reader = new KafkaReader(request);
        short key = reader.ReadInt16();
        short version = reader.ReadInt16();
        int correlationId = reader.ReadInt32();
        api = _dispatcher.Find(key);
        string clientId = reader.ReadNullableString(flexible: false) ?? "";
        if (api is not null && version >= api.Range.FlexibleFrom)
        {
            for (int tags = reader.ReadUnsignedVarint(); tags > 0; tags--)
            {
                reader.ReadUnsignedVarint();
                reader.Skip(reader.ReadUnsignedVarint());
            }
        }

        bodyStart = reader.Position;
        return new RequestHeader(key, version, correlationId, clientId);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The client {Client} sent what is not a request: {Reason} Its connection is closed")]
    private static partial void LogMalformed(ILogger logger, string client, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The TLS handshake with {Client} failed: {Reason} Its connection is closed")]
    private static partial void LogNoTls(ILogger logger, string client, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "A request of {Client} failed; its connection is closed")]
    private static partial void LogFailed(ILogger logger, Exception failure, string client);
}
