using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net.Processors.Public;
using Streamiz.Kafka.Net.State;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// The state of a right aggregate has come to a left one, in whose task all results are written. An answer to another version than the one
/// that the left aggregate has is dropped: it may refer to another one since, whose answer came before, and its own is on its way.
/// </summary>
internal sealed class JoinAnswers : ITransformer<string, JoinAnswer, string, JoinResult>
{
    private readonly JoinPart? _part;
    private readonly AvroRecordType? _rightType;
    private IKeyValueStore<byte[], Snapshot?>? _left;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public JoinAnswers()
    {
    }

    /// <summary>Joins for <paramref name="part"/>.</summary>
    public JoinAnswers(JoinPart part) => (_part, _rightType) = (part, RecordTypes.Of(part.Right.StateType));

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, JoinResult> context) =>
        _left = (IKeyValueStore<byte[], Snapshot?>)context.GetStateStore(SnapshotPart.StoreOf(_part!.Left));

    /// <inheritdoc/>
    public Record<string, JoinResult>? Process(Record<string, JoinAnswer> record)
    {
        JoinAnswer answer = record.Value;
        if (_left!.Get(KeySerDes.BytesOf(record.Key)) is not { } left || left.Version != answer.Version)
            return null;
        IAvroRecord? right = answer.State is null ? null : _rightType!.Read(answer.State);
        return Record<string, JoinResult>.Create(record.Key, new JoinResult(_part!.Select(left.State!, right)), record.Headers);
    }

    /// <inheritdoc/>
    public void Close()
    {
        // The store is Streamiz'.
    }
}
