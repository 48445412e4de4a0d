using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Requests;
using KafkaEventSourcing.Embedded.Kafka.Server;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Network;

/// <summary>One client: its requests are answered one after the other, in order, as Kafka does. What it sends wrong ends this connection only.</summary>
internal sealed partial class Connection(Socket socket, RequestDispatcher dispatcher, int maxRequestBytes, ILogger logger) : IDisposable
{
    private readonly KafkaWriter _writer = new();

    public async Task Serve(CancellationToken cancellationToken)
    {
        string client = (socket.RemoteEndPoint as IPEndPoint)?.Address.ToString() ?? "unknown";
        byte[] prefix = new byte[sizeof(int)];
        try
        {
            while (await ReadFully(prefix, cancellationToken).ConfigureAwait(false))
            {
                int length = BinaryPrimitives.ReadInt32BigEndian(prefix);
                if (length < 8 || length > maxRequestBytes)
                    throw new MalformedRequestException($"A request of {length} bytes is announced; 8 to {maxRequestBytes} are allowed.");
                byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
                try
                {
                    if (!await ReadFully(buffer.AsMemory(0, length), cancellationToken).ConfigureAwait(false))
                        return;
                    if (await Answer(buffer.AsMemory(0, length), client).ConfigureAwait(false))
                        await Send(cancellationToken).ConfigureAwait(false);
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }
        }
        catch (MalformedRequestException malformed)
        {
            LogMalformed(logger, client, malformed.Message);
        }
        catch (Exception closed) when (closed is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client is gone, or the broker stops.
        }
        catch (Exception failure)
        {
            LogFailed(logger, failure, client);
        }
    }

    public void Dispose()
    {
        socket.Dispose();
        _writer.Dispose();
    }

    private async ValueTask<bool> ReadFully(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            int read = await socket.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (read == 0)
                return false;
            buffer = buffer[read..];
        }

        return true;
    }

    private async ValueTask Send(CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> rest = _writer.Written;
        while (rest.Length > 0)
            rest = rest[await socket.SendAsync(rest, cancellationToken).ConfigureAwait(false)..];
    }

    private async ValueTask<bool> Answer(ReadOnlyMemory<byte> request, string client)
    {
        RequestHeader header = ReadHeader(request, out Api? api, out int bodyStart);
        _writer.Reset();
        _writer.WriteInt32(0);
        _writer.WriteInt32(header.CorrelationId);
        if (api is null || header.ApiVersion < api.MinVersion || header.ApiVersion > api.MaxVersion)
        {
            // A client that speaks a version of ApiVersions that we do not learns ours (KIP-511); anything else it had no right to send.
            if (header.ApiKey != ApiVersionsRequest.ApiKey)
                throw new MalformedRequestException($"The API {header.ApiKey} in version {header.ApiVersion} is not offered.");
            dispatcher.Versions(ErrorCode.UnsupportedVersion).Write(_writer, 0);
        }
        else
        {
            IKafkaResponse? response = await api.Handle(new RequestContext(header.ClientId, "/" + client), request[bodyStart..], header.ApiVersion).ConfigureAwait(false);
            if (response is null)
                return false;
            // The response header has tags from the flexible versions on, but for ApiVersions.
            if (header.ApiVersion >= api.FlexibleFrom && api.Key != ApiVersionsRequest.ApiKey)
                _writer.WriteUnsignedVarint(0);
            response.Write(_writer, header.ApiVersion);
        }

        BinaryPrimitives.WriteInt32BigEndian(_writer.Written.Span, _writer.Length - sizeof(int));
        return true;
    }

    private RequestHeader ReadHeader(ReadOnlyMemory<byte> request, out Api? api, out int bodyStart)
    {
        var reader = new KafkaReader(request);
        short key = reader.ReadInt16();
        short version = reader.ReadInt16();
        int correlationId = reader.ReadInt32();
        api = dispatcher.Find(key);
        string clientId = reader.ReadNullableString(flexible: false) ?? "";
        if (api is not null && version >= api.FlexibleFrom)
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "The client {Client} sent what is no request: {Reason} Its connection is closed")]
    private static partial void LogMalformed(ILogger logger, string client, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "A request of {Client} failed; its connection is closed")]
    private static partial void LogFailed(ILogger logger, Exception failure, string client);
}
