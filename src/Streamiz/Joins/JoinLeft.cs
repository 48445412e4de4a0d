using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Sends the state of an aggregate to the partition of the one that it refers to, each time it changes or comes again.</summary>
internal sealed class JoinLeft : ITransformer<string, SnapshotChange, string, JoinRequest>
{
    private readonly JoinPart? _part;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public JoinLeft()
    {
    }

    /// <summary>Sends for <paramref name="part"/>.</summary>
    public JoinLeft(JoinPart part) => _part = part;

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, JoinRequest> context)
    {
        // It forwards what it returns.
    }

    /// <inheritdoc/>
    public Record<string, JoinRequest>? Process(Record<string, SnapshotChange> record)
    {
        SnapshotChange change = record.Value;
        Snapshot after = change.After!; // the builder refuses a left side that drops
        string? to = _part!.On(after.State!);
        string? before = change.Before is null ? null : _part.On(change.Before.State!);
        if (before is not null && before != to)
            throw new StreamStateException($"'{change.Source.Head.AggregateId}' of '{_part.Left.Name}' refers to "
                + $"{(to is null ? "none" : $"'{to}'")} in version {after.Version}, and referred to '{before}': a reference of the join "
                + $"'{_part.Name}' must not change once it is there.");
        if (to is null)
            return null;
        return Record<string, JoinRequest>.Create(to, new JoinRequest
        {
            Left = change.Source.Head.AggregateId.Value, Version = after.Version, State = BytesOf((IAvroRecord)after.State!),
        }, record.Headers);
    }

    /// <inheritdoc/>
    public void Close()
    {
        // There is nothing to release.
    }

    private static byte[] BytesOf(IAvroRecord state) =>
        EncodedBytes.Of(null, state, static (IAvroRecord value, ref AvroWriter writer) => value.WriteTo(ref writer));
}
