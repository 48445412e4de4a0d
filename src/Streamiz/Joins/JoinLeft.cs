using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Tells the one that an aggregate refers to, each time the aggregate changes or comes again, and the one that it referred to before when
/// that is another one. The latter can be lost with an aborted transaction: what comes again does not know of it. Whoever is not told goes
/// on to answer, and <see cref="JoinAnswers"/> drops it.
/// </summary>
internal sealed class JoinLeft : ITransformer<string, SnapshotChange, string, JoinRequest>
{
    private readonly JoinPart? _part;
    private ProcessorContext<string, JoinRequest>? _context;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public JoinLeft()
    {
    }

    /// <summary>Sends for <paramref name="part"/>.</summary>
    public JoinLeft(JoinPart part) => _part = part;

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, JoinRequest> context) => _context = context;

    /// <inheritdoc/>
    public Record<string, JoinRequest>? Process(Record<string, SnapshotChange> record)
    {
        SnapshotChange change = record.Value;
        (string? before, string? now) = (_part!.ReferenceOf(change.Before), _part.ReferenceOf(change.After));
        string left = change.Source.Head.AggregateId.Value;
        long version = change.After?.Version ?? change.Source.Head.Version;
        if (before is not null && before != now)
            _context!.Forward(before, new JoinRequest { Left = left, Version = version, Ends = true });
        return now is null ? null
            : Record<string, JoinRequest>.Create(now, new JoinRequest { Left = left, Version = version, Ends = false }, record.Headers);
    }

    /// <inheritdoc/>
    public void Close()
    {
        // There is nothing to release.
    }
}
