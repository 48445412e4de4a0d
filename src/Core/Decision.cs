namespace KafkaEventSourcing;

/// <summary>
/// What an aggregate decides on a command: events, in order, or a rejection. <see cref="Nothing"/> accepts the command
/// without an event, for one that is already fulfilled. <c>default</c> is <see cref="Nothing"/>.
/// </summary>
public readonly struct Decision
{
    private readonly object? _content; // null, one event, object[] of events, or a Rejection

    private Decision(object content) => _content = content;

    /// <summary>The command is accepted and changes nothing.</summary>
    public static Decision Nothing => default;

    /// <summary>Whether the command is rejected.</summary>
    public bool IsRejected => _content is Rejection;

    /// <summary>The rejection, or null when the command is accepted.</summary>
    public Rejection? Rejection => _content as Rejection;

    /// <summary>How many events were decided.</summary>
    public int Count => _content switch { null or KafkaEventSourcing.Rejection => 0, object[] many => many.Length, _ => 1 };

    /// <summary>The event at <paramref name="index"/>, in the order of their versions.</summary>
    public object this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            return _content is object[] many ? many[index] : _content!;
        }
    }

    /// <summary>Accepts with one event.</summary>
    public static Decision Accept(object @event)
    {
        ArgumentNullException.ThrowIfNull(@event);
        return new Decision(@event is KafkaEventSourcing.Rejection or object[]
            ? throw new ArgumentException($"A {@event.GetType().Name} is not an event.", nameof(@event))
            : @event);
    }

    /// <summary>Accepts with several events, in order; with none it is <see cref="Nothing"/>.</summary>
    public static Decision Accept(params object[] events)
    {
        ArgumentNullException.ThrowIfNull(events);
        foreach (object @event in events)
            ArgumentNullException.ThrowIfNull(@event, nameof(events));
        return events.Length switch { 0 => Nothing, 1 => Accept(events[0]), _ => new Decision(events.Clone()) };
    }

    /// <summary>Rejects the command.</summary>
    /// <param name="code">A stable name in kebab case.</param>
    /// <param name="message">One sentence for a person, with the figures that mattered.</param>
    /// <param name="details">The same figures by name.</param>
    public static Decision Reject(string code, string message, params (string Name, object Value)[] details) =>
        new(details.Length == 0
            ? new Rejection(code, message)
            : new Rejection(code, message, details.ToDictionary(d => d.Name,
                d => Convert.ToString(d.Value, System.Globalization.CultureInfo.InvariantCulture) ?? "")));

    /// <summary>The events as a list, in order.</summary>
    public IReadOnlyList<object> Events => _content switch
    {
        null or KafkaEventSourcing.Rejection => [],
        object[] many => many,
        _ => [_content],
    };
}
