namespace KafkaEventSourcing.EventLog;

/// <summary>
/// One event of the log as the code of today reads it: as one event nearly always; as several or none where it is upcast to them; as none
/// where its type is withdrawn.
/// </summary>
public readonly struct StoredEvent
{
    private readonly object? _events; // one, an array of several, or null

    internal StoredEvent(in EventHead head, object? events) => (Head, _events) = (head, events);

    /// <summary>What its key and headers say.</summary>
    public EventHead Head { get; }

    /// <summary>As how many events it is read.</summary>
    public int Count => _events switch { null => 0, RecordedEvent[] several => several.Length, _ => 1 };

    /// <summary>The event of <see cref="RecordedEvent.Part"/> <paramref name="part"/>.</summary>
    public RecordedEvent this[int part]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(part);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(part, Count);
            return _events as RecordedEvent ?? ((RecordedEvent[])_events!)[part];
        }
    }

    /// <summary>Adds its events to <paramref name="events"/>, in order.</summary>
    public void AddTo(List<RecordedEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        for (int part = 0; part < Count; part++)
            events.Add(this[part]);
    }
}
