using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A right aggregate has changed: all that refer to it are told its state.</summary>
internal sealed class JoinRight : ITransformer<string, SnapshotChange, string, JoinAnswer>
{
    private readonly JoinPart? _part;
    private JoinStores? _stores;
    private ProcessorContext<string, JoinAnswer>? _context;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public JoinRight()
    {
    }

    /// <summary>Answers for <paramref name="part"/>.</summary>
    public JoinRight(JoinPart part) => _part = part;

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, JoinAnswer> context) =>
        (_context, _stores) = (context, new JoinStores(_part!, context.GetStateStore));

    /// <inheritdoc/>
    public Record<string, JoinAnswer>? Process(Record<string, SnapshotChange> record)
    {
        IReadOnlyList<JoinRequest> requests = _stores!.RequestsOf(record.Key);
        byte[]? state = requests.Count == 0 ? null : _stores.StateOf(record.Key);
        foreach (JoinRequest request in requests)
            _context!.Forward(request.Left, new JoinAnswer { Version = request.Version, State = state });
        return null;
    }

    /// <inheritdoc/>
    public void Close()
    {
        // The stores are Streamiz'.
    }
}
