using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A right aggregate has changed: the results of all that refer to it are written anew.</summary>
internal sealed class JoinRight : ITransformer<string, SnapshotChange, string, JoinResult>
{
    private readonly JoinPart? _part;
    private JoinStores? _stores;
    private ProcessorContext<string, JoinResult>? _context;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public JoinRight()
    {
    }

    /// <summary>Joins for <paramref name="part"/>.</summary>
    public JoinRight(JoinPart part) => _part = part;

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, JoinResult> context) =>
        (_context, _stores) = (context, new JoinStores(_part!, context.GetStateStore));

    /// <inheritdoc/>
    public Record<string, JoinResult>? Process(Record<string, SnapshotChange> record)
    {
        foreach (JoinRequest request in _stores!.RequestsOf(record.Key))
        {
            JoinResult result = _stores.ResultOf(record.Key, request);
            _context!.Forward(result.Key, result);
        }

        return null;
    }

    /// <inheritdoc/>
    public void Close()
    {
        // The stores are Streamiz'.
    }
}
