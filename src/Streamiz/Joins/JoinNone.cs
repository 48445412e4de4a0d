using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A left aggregate that refers to none any more, or was dropped, has no result: nobody answers it.</summary>
internal sealed class JoinNone : ITransformer<string, SnapshotChange, string, JoinResult>
{
    private readonly JoinPart? _part;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public JoinNone()
    {
    }

    /// <summary>Says so for <paramref name="part"/>.</summary>
    public JoinNone(JoinPart part) => _part = part;

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, JoinResult> context)
    {
        // It forwards what it returns.
    }

    /// <inheritdoc/>
    public Record<string, JoinResult>? Process(Record<string, SnapshotChange> record)
    {
        SnapshotChange change = record.Value;
        if (_part!.ReferenceOf(change.After) is not null)
            return null;
        // What comes again does not say what was before: the tombstone may be of the transaction that was aborted.
        return ReferenceEquals(change.Before, change.After) || _part.ReferenceOf(change.Before) is not null
            ? Record<string, JoinResult>.Create(record.Key, new JoinResult(null), record.Headers)
            : null;
    }

    /// <inheritdoc/>
    public void Close()
    {
        // There is nothing to release.
    }
}
