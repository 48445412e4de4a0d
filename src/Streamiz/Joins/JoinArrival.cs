using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A left aggregate has changed: what it refers to is remembered, or forgotten, and it is answered.</summary>
internal sealed class JoinArrival : ITransformer<string, JoinRequest, string, JoinAnswer>
{
    private readonly JoinPart? _part;
    private JoinStores? _stores;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public JoinArrival()
    {
    }

    /// <summary>Answers for <paramref name="part"/>.</summary>
    public JoinArrival(JoinPart part) => _part = part;

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, JoinAnswer> context) => _stores = new JoinStores(_part!, context.GetStateStore);

    /// <inheritdoc/>
    public Record<string, JoinAnswer>? Process(Record<string, JoinRequest> record) =>
        _stores!.Remember(record.Key, record.Value) is { } request
            ? Record<string, JoinAnswer>.Create(request.Left,
                new JoinAnswer { Version = request.Version, State = _stores.StateOf(record.Key) }, record.Headers)
            : null;

    /// <inheritdoc/>
    public void Close()
    {
        // The stores are Streamiz'.
    }
}
