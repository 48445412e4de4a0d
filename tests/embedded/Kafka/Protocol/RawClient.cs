using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>A connection that sends what it is told, in the version it is told.</summary>
internal sealed class RawClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private int _correlation;

    public RawClient(EmbeddedKafka kafka)
        : this(kafka.BootstrapServers)
    {
    }

    public RawClient(string bootstrapServers)
    {
        string[] address = bootstrapServers.Split(':');
        _socket.Connect(address[0], int.Parse(address[1], CultureInfo.InvariantCulture));
        _socket.ReceiveTimeout = (int)Patience.TotalMilliseconds;
    }

    internal delegate T ReadMessage<out T>(ref KafkaReader reader, short version);

    public void Dispose() => _socket.Dispose();

    public static byte[] Frame(ApiVersionRange api, short version, Action<KafkaWriter> body, int correlation = 1)
    {
        using var writer = new KafkaWriter();
        writer.WriteInt32(0);
        writer.WriteInt16(api.Key);
        writer.WriteInt16(version);
        writer.WriteInt32(correlation);
        writer.WriteString("raw", flexible: false);
        if (version >= api.FlexibleFrom)
            writer.WriteUnsignedVarint(0);
        body(writer);
        var segments = new List<ArraySegment<byte>>(); // large records are not copied into the writer's own memory
        writer.Gather(segments);
        byte[] frame = [.. segments.SelectMany(s => s)];
        BinaryPrimitives.WriteInt32BigEndian(frame, frame.Length - sizeof(int));
        return frame;
    }

    public static ApiVersionRange ApiOf<TRequest>()
        where TRequest : IKafkaRequest<TRequest> => TRequest.Api;

    public void Send(byte[] bytes) => _socket.Send(bytes);

    /// <summary>Sends without waiting for an answer.</summary>
    public void Post<TRequest>(short version, Action<KafkaWriter> body)
        where TRequest : IKafkaRequest<TRequest> => Send(Frame(TRequest.Api, version, body, ++_correlation));

    public TResponse Ask<TRequest, TResponse>(TRequest request, short version, ReadMessage<TResponse> read)
        where TRequest : IKafkaRequest<TRequest>
    {
        Post<TRequest>(version, writer => request.Write(writer, version));
        return Answer<TRequest, TResponse>(version, read);
    }

    public TResponse Answer<TRequest, TResponse>(short version, ReadMessage<TResponse> read)
        where TRequest : IKafkaRequest<TRequest>
    {
        byte[] frame = Receive() ?? throw new InvalidOperationException("The broker closed the connection.");
        var reader = new KafkaReader(frame);
        reader.ReadInt32();
        if (version >= TRequest.Api.FlexibleFrom && TRequest.Api.Key != ApiVersionsRequest.ApiKey)
            reader.ReadUnsignedVarint();
        TResponse response = read(ref reader, version);
        reader.Remaining.ShouldBe(0, $"{typeof(TResponse).Name} version {version} has bytes that nobody reads");
        return response;
    }

    /// <summary>The next frame; null when the broker closed the connection.</summary>
    public byte[]? Receive()
    {
        byte[] prefix = new byte[sizeof(int)];
        if (!Fill(prefix))
            return null;
        byte[] frame = new byte[BinaryPrimitives.ReadInt32BigEndian(prefix)];
        return Fill(frame) ? frame : null;
    }

    private bool Fill(byte[] buffer)
    {
        try
        {
            for (int at = 0; at < buffer.Length;)
            {
                int read = _socket.Receive(buffer, at, buffer.Length - at, SocketFlags.None);
                if (read == 0)
                    return false;
                at += read;
            }

            return true;
        }
        catch (SocketException closed) when (closed.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionAborted)
        {
            return false;
        }
    }
}
