namespace KafkaEventSourcing.Streamiz;

/// <summary>Says which events add to totals. Not thread-safe; used once at start-up.</summary>
public sealed class TotalsBuilder
{
    private readonly string _name;
    private readonly Dictionary<(AggregateDefinition, Type), Func<RecordedEvent, TotalEntry?>> _selectors = [];

    internal TotalsBuilder(string name) => _name = name;

    internal IReadOnlyDictionary<(AggregateDefinition Source, Type Event), Func<RecordedEvent, TotalEntry?>> Selectors => _selectors;

    /// <summary>Adds what <paramref name="select"/> gives for each event of <typeparamref name="TEvent"/>; null: nothing. Pure.</summary>
    /// <exception cref="InvalidOperationException">The type adds already, or is not an event of the aggregate type.</exception>
    public TotalsBuilder Add<TEvent>(AggregateDefinition source, Func<TEvent, TotalEntry?> select)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(select);
        return Add<TEvent>(source, (@event, _) => select(@event));
    }

    /// <summary>The same, with what the log knows of the event: its aggregate, its time.</summary>
    /// <inheritdoc cref="Add{TEvent}(AggregateDefinition, Func{TEvent, TotalEntry?})" path="/exception"/>
    public TotalsBuilder Add<TEvent>(AggregateDefinition source, Func<TEvent, RecordedEvent, TotalEntry?> select)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(select);
        if (!source.EventTypes.Contains(typeof(TEvent)))
            throw new InvalidOperationException(
                $"The totals '{_name}' add {typeof(TEvent).Name}, which is not an event that '{source.Name}' evolves by.");
        if (!_selectors.TryAdd((source, typeof(TEvent)), recorded => select((TEvent)recorded.Payload, recorded)))
            throw new InvalidOperationException($"The totals '{_name}' already add {typeof(TEvent).Name} of '{source.Name}'.");
        return this;
    }
}
