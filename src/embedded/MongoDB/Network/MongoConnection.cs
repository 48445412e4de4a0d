using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using KafkaEventSourcing.Embedded.MongoDB.Commands;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using Microsoft.Extensions.Logging;
using MongoDB.Bson;
using MongoDB.Bson.IO;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Embedded.MongoDB.Network;

/// <summary>One client, one message after the other (MongoDB, "Wire Protocol"). What it sends wrong ends this connection only.</summary>
internal sealed partial class MongoConnection(Socket socket, MongoServer server, ILogger logger) : IDisposable
{
    private const int HeaderLength = 16;
    private const int MaxMessageBytes = 48_000_000;
    private const int OpReply = 1;
    private const int OpQuery = 2004;
    private const int OpMsg = 2013;
    private const int ChecksumPresent = 1;
    private const int MoreToCome = 2;

    private const int InitialBuffer = 64 * 1024;

    private readonly byte[] _buffer = new byte[InitialBuffer];
    private int _replyId;

    public async Task Serve(CancellationToken cancellationToken)
    {
        byte[] header = new byte[HeaderLength];
        try
        {
            while (await ReadFully(header, cancellationToken).ConfigureAwait(false))
            {
                int length = BinaryPrimitives.ReadInt32LittleEndian(header);
                if (length < HeaderLength + 5 || length > MaxMessageBytes)
                    throw new InvalidDataException(
                        $"A message of {length} bytes is announced; {HeaderLength + 5} to {MaxMessageBytes} are allowed.");
                int bodyLength = length - HeaderLength;
                // Large ones are borrowed: idle connections do not hold the memory of their largest message, and the next does not pay for
                // it.
                byte[] buffer = bodyLength <= InitialBuffer ? _buffer : ArrayPool<byte>.Shared.Rent(bodyLength);
                try
                {
                    if (!await ReadFully(buffer.AsMemory(0, bodyLength), cancellationToken).ConfigureAwait(false))
                        return;
                    ReadOnlyMemory<byte> rest = await Answer(header, buffer.AsMemory(0, bodyLength)).ConfigureAwait(false);
                    while (rest.Length > 0)
                        rest = rest[await socket.SendAsync(rest, cancellationToken).ConfigureAwait(false)..];
                }
                finally
                {
                    if (buffer != _buffer)
                        ArrayPool<byte>.Shared.Return(buffer);
                }
            }
        }
        catch (Exception malformed) when (malformed is InvalidDataException or FormatException or EndOfStreamException or ArgumentException
            or BsonException)
        {
            LogMalformed(logger, malformed.Message);
        }
        catch (Exception closed) when (closed is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client is gone, or the server stops.
        }
        catch (Exception failure)
        {
            LogFailed(logger, failure);
        }
    }

    public void Dispose() => socket.Dispose();

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

    // A client that has closed its connection: it is readable, and there is nothing to read.
    private bool IsGone()
    {
        try
        {
            return socket.Poll(0, SelectMode.SelectRead) && socket.Available == 0;
        }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }

    private async Task<ReadOnlyMemory<byte>> Answer(byte[] header, ReadOnlyMemory<byte> body)
    {
        int requestId = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(4));
        switch (BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(12)))
        {
            case OpMsg:
                int flags = BinaryPrimitives.ReadInt32LittleEndian(body.Span);
                if ((flags & ChecksumPresent) != 0)
                    body = body[..^sizeof(int)];
                (BsonDocument command, Dictionary<string, List<ReadOnlyMemory<byte>>> sequences) = ReadSections(body[sizeof(int)..]);
                BsonDocument reply = await server.Run(command, sequences, IsGone).ConfigureAwait(false);
                return (flags & MoreToCome) != 0 ? default : Message(reply, requestId);
            case OpQuery:
                // Only the first hello of a client still comes this way.
                int name = body.Span[sizeof(int)..].IndexOf((byte)0) + sizeof(int);
                ReadOnlyMemory<byte> document = body[(name + 1 + (2 * sizeof(int)))..];
                BsonDocument query = Parse(document[..LengthOf(document.Span)].ToArray());
                BsonDocument answer = query.GetElement(0).Name is "isMaster" or "ismaster" or "hello"
                    ? HelloCommand.Run(server).Add("ok", 1.0)
                    : new BsonDocument
                    {
                        { "ok", 0.0 },
                        { "errmsg", "Unsupported OP_QUERY command: use OP_MSG." },
                        { "code", 352 },
                        { "codeName", "UnsupportedOpQueryCommand" },
                    };
                return Reply(answer, requestId);
            case int other:
                throw new InvalidDataException($"The opcode {other} is not known.");
        }
    }

    private static (BsonDocument Command, Dictionary<string, List<ReadOnlyMemory<byte>>> Sequences) ReadSections(
        ReadOnlyMemory<byte> sections)
    {
        BsonDocument? command = null;
        var sequences = new Dictionary<string, List<ReadOnlyMemory<byte>>>();
        while (sections.Length > 0)
        {
            byte kind = sections.Span[0];
            sections = sections[1..];
            if (kind == 0)
            {
                int length = LengthOf(sections.Span);
                command = Parse(WithoutStatements(sections[..length], sequences));
                sections = sections[length..];
            }
            else if (kind == 1)
            {
                int size = BinaryPrimitives.ReadInt32LittleEndian(sections.Span);
                ReadOnlyMemory<byte> section = sections[..size][sizeof(int)..];
                int name = section.Span.IndexOf((byte)0);
                var documents = new List<ReadOnlyMemory<byte>>();
                for (ReadOnlyMemory<byte> rest = section[(name + 1)..]; rest.Length > 0;)
                {
                    int length = LengthOf(rest.Span);
                    documents.Add(rest[..length]);
                    rest = rest[length..];
                }

                sequences.TryAdd(Encoding.UTF8.GetString(section.Span[..name]), documents);
                sections = sections[size..];
            }
            else
            {
                throw new InvalidDataException($"A section of kind {kind} is not known.");
            }
        }

        return command is { ElementCount: > 0 } ? (command, sequences) : throw new InvalidDataException("A message has no command.");
    }

    // The statements of a write may be in the command itself; they are taken out by their bytes, as from a section of their own.
    private static byte[] WithoutStatements(ReadOnlyMemory<byte> command, Dictionary<string, List<ReadOnlyMemory<byte>>> sequences)
    {
        var fields = new RawBson(command.Span);
        int at = sizeof(int);
        while (fields.MoveNext())
        {
            RawElement field = fields.Current;
            int length = 1 + field.Name.Length + 1 + field.Value.Length;
            if (field.Type == BsonType.Array && (field.Name.SequenceEqual("documents"u8)
                || field.Name.SequenceEqual("updates"u8)
                || field.Name.SequenceEqual("deletes"u8))
                && StatementsIn(command.Slice(at + length - field.Value.Length, field.Value.Length)) is { } statements
                && sequences.TryAdd(Encoding.UTF8.GetString(field.Name), statements))
            {
                byte[] rest = [.. command.Span[..at], .. command.Span[(at + length)..]];
                BinaryPrimitives.WriteInt32LittleEndian(rest, rest.Length);
                return rest;
            }

            at += length;
        }

        return command.ToArray();
    }

    private static List<ReadOnlyMemory<byte>>? StatementsIn(ReadOnlyMemory<byte> array)
    {
        var statements = new List<ReadOnlyMemory<byte>>();
        var items = new RawBson(array.Span);
        int at = sizeof(int);
        while (items.MoveNext())
        {
            if (items.Current.Type != BsonType.Document)
                return null;
            at += 1 + items.Current.Name.Length + 1;
            statements.Add(array.Slice(at, items.Current.Value.Length));
            at += items.Current.Value.Length;
        }

        return statements;
    }

    private static int LengthOf(ReadOnlySpan<byte> document)
    {
        int length = BinaryPrimitives.ReadInt32LittleEndian(document);
        return length >= 5 && length <= document.Length
            ? length
            : throw new InvalidDataException($"A document of {length} bytes is announced; {document.Length} are left.");
    }

    private static BsonDocument Parse(byte[] bytes) => BsonSerializer.Deserialize<BsonDocument>(bytes);

    private ReadOnlyMemory<byte> Message(BsonDocument reply, int requestId) =>
        Build(reply, requestId, OpMsg, sizeof(int) + 1, (_, _) => { });

    private ReadOnlyMemory<byte> Reply(BsonDocument reply, int requestId) => Build(reply, requestId, OpReply, 20, (body, _) =>
    {
        BinaryPrimitives.WriteInt32LittleEndian(body, 8);
        BinaryPrimitives.WriteInt32LittleEndian(body[16..], 1);
    });

    // Written once, behind its header: an answer may have 16 MB.
    private ReadOnlyMemory<byte> Build(BsonDocument reply, int requestId, int opcode, int head, SpanAction<byte, int> fill)
    {
        using var stream = new MemoryStream();
        stream.SetLength(HeaderLength + head);
        stream.Position = stream.Length;
        using (var writer = new BsonBinaryWriter(stream))
            BsonSerializer.Serialize(writer, reply);
        byte[] message = stream.GetBuffer();
        int length = (int)stream.Length;
        fill(message.AsSpan(HeaderLength, head), 0);
        BinaryPrimitives.WriteInt32LittleEndian(message, length);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(4), ++_replyId);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(8), requestId);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(12), opcode);
        return message.AsMemory(0, length);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A client sent what is not a message: {Reason} Its connection is closed")]
    private static partial void LogMalformed(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "A connection failed and is closed")]
    private static partial void LogFailed(ILogger logger, Exception failure);
}
