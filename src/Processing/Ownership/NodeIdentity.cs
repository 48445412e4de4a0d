namespace KafkaEventSourcing.Processing;

/// <summary>Who this node is to the others. Thread-safe.</summary>
internal sealed class NodeIdentity(string id)
{
    private volatile string? _address;

    /// <summary>Its id.</summary>
    public string Id => id;

    /// <summary>The base of its HTTP interface, as others reach it; null: it has none (yet).</summary>
    public string? Address
    {
        get => _address;
        set => _address = value;
    }
}
