using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A left aggregate has changed: its result is written anew.</summary>
internal sealed class JoinArrival : ITransformer<string, JoinRequest, string, JoinResult>
{
    private readonly JoinPart? _part;
    private JoinStores? _stores;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public JoinArrival()
    {
    }

    /// <summary>Joins for <paramref name="part"/>.</summary>
    public JoinArrival(JoinPart part) => _part = part;

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, JoinResult> context) => _stores = new JoinStores(_part!, context.GetStateStore);

    /// <inheritdoc/>
    public Record<string, JoinResult> Process(Record<string, JoinRequest> record)
    {
        JoinResult result = _stores!.ResultOf(record.Key, _stores.Remember(record.Key, record.Value));
        return Record<string, JoinResult>.Create(result.Key, result, record.Headers);
    }

    /// <inheritdoc/>
    public void Close()
    {
        // The stores are Streamiz'.
    }
}
