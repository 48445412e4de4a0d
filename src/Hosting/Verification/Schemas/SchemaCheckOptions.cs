namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>What a <see cref="SchemaCheck"/> looks at.</summary>
internal sealed record SchemaCheckOptions
{
    /// <summary>How many records of each partition are read, spread over it; null: all, which are folded too.</summary>
    public int? Sample { get; init; }

    /// <summary>
    /// By aggregate type, the topics of the snapshots that event streams keep, which nodes restore from. Default: none.
    /// </summary>
    public IReadOnlyDictionary<string, string> StreamSnapshots { get; init; } = new Dictionary<string, string>();

    /// <summary>States that code before has kept, a line each; null: snapshots are compared alone.</summary>
    public IReadOnlyList<string>? Before { get; init; }

    /// <summary>Gets a line for each state that is folded, for the code after; null: nobody does.</summary>
    public Action<string>? Keep { get; init; }
}
