namespace KafkaEventSourcing.Streamiz;

/// <summary>Differences that were found, the first of them in words. Not thread-safe.</summary>
internal sealed class Differences
{
    private const int MaxReported = 20;

    private readonly List<string> _first = [];

    /// <summary>How many there are.</summary>
    public long Count { get; private set; }

    /// <summary>The first.</summary>
    public IReadOnlyList<string> First => _first;

    /// <summary>Adds one.</summary>
    public void Add(string difference)
    {
        Count++;
        if (_first.Count < MaxReported)
            _first.Add(difference);
    }
}
