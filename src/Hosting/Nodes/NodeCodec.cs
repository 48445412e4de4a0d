using System.Buffers;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Hosting.Nodes;

/// <summary>Bodies of requests and answers between nodes. Thread-safe.</summary>
internal sealed class NodeCodec
{
    private readonly AvroMessageSerde _serde;
    private readonly TopicEncoder _replies;
    private readonly TopicEncoder _snapshots;
    private readonly AvroRecordType _stateType;

    private NodeCodec(AvroMessageSerde serde, TopicEncoder replies, TopicEncoder snapshots, AvroRecordType stateType) =>
        (_serde, _replies, _snapshots, _stateType) = (serde, replies, snapshots, stateType);

    public static async Task<NodeCodec> Create(AvroMessageSerde serde, TopicFamily topics, AggregateDefinition definition,
        CancellationToken cancellationToken) => new(
        serde,
        await serde.PrepareAsync(topics.Replies, [typeof(CommandReply)], cancellationToken).ConfigureAwait(false),
        await serde.PrepareAsync(topics.Snapshots, [typeof(AggregateSnapshot)], cancellationToken).ConfigureAwait(false),
        serde.TypeOf(definition.StateType));

    /// <summary>The full name of the Avro type of <paramref name="message"/>.</summary>
    public string TypeNameOf(object message) => _serde.TypeOf(message.GetType()).FullName;

    /// <summary>The payload of a command.</summary>
    /// <exception cref="UndecodableMessageException">It is none.</exception>
    public object DecodeCommand(byte[] body) => _serde.Decode(body);

    public byte[] Encode(CommandResult result) => Encode(_replies, CommandReplies.FromResult(result));

    public byte[] Encode(AggregateParkedException parked) => Encode(_replies, CommandReplies.FromParked(parked));

    /// <summary>Throws what <see cref="Encode(AggregateParkedException)"/> has told.</summary>
    /// <exception cref="AggregateParkedException">Always, if it is such a reply.</exception>
    /// <exception cref="UndecodableMessageException">It is none.</exception>
    public async Task ThrowParked(byte[] body)
    {
        var told = new TaskCompletionSource<CommandResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        CommandReplies.Complete(told, (CommandReply)_serde.Decode(body));
        await told.Task.ConfigureAwait(false);
    }

    /// <exception cref="UndecodableMessageException">It is not a reply.</exception>
    public CommandResult DecodeResult(byte[] body) => CommandReplies.ToResult((CommandReply)_serde.Decode(body));

    public byte[] Encode(AggregateView view)
    {
        var state = new ArrayBufferWriter<byte>(256);
        var writer = new AvroWriter(state);
        ((IAvroRecord)view.State).WriteTo(ref writer);
        writer.Flush();
        return Encode(_snapshots, new AggregateSnapshot
        {
            Version = view.Version,
            EventOffset = view.Token.Offset,
            StateSchema = _stateType.Fingerprint,
            State = state.WrittenSpan.ToArray(),
            RecentCommands = [],
        });
    }

    /// <summary>The view in <paramref name="body"/>; null: its state is of another schema than this node's.</summary>
    /// <exception cref="UndecodableMessageException">It is none.</exception>
    public AggregateView? DecodeView(AggregateId id, int partition, byte[] body)
    {
        var snapshot = (AggregateSnapshot)_serde.Decode(body);
        return snapshot.StateSchema == _stateType.Fingerprint
            ? new AggregateView(id, snapshot.Version, _stateType.Read(snapshot.State),
                new ConsistencyToken(partition, snapshot.EventOffset))
            : null;
    }

    private static byte[] Encode(TopicEncoder encoder, IAvroRecord value)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        encoder.Encode(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }
}
