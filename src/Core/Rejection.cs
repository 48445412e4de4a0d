namespace KafkaEventSourcing;

/// <summary>Why the domain said no: an expected outcome, not a fault.</summary>
/// <param name="Code">A stable, machine-readable name in kebab case, such as <c>insufficient-funds</c>.</param>
/// <param name="Message">One sentence for a person, with the figures that mattered.</param>
/// <param name="Details">The same figures by name, for programs; empty when there are none.</param>
public sealed record Rejection(string Code, string Message, IReadOnlyDictionary<string, string> Details)
{
    /// <summary>
    /// The code of a rejection that no domain gives: the command's id was that of another command of the aggregate, which differs in what
    /// the detail <c>differs</c> names (<c>type</c>, <c>body</c>, <c>expected version</c>). Nothing was changed, and the first outcome
    /// stays.
    /// </summary>
    public const string CommandIdReused = "command-id-reused";

    private static readonly IReadOnlyDictionary<string, string> None = new Dictionary<string, string>();

    /// <summary>Creates a rejection without details.</summary>
    public Rejection(string code, string message) : this(code, message, None)
    {
    }

    /// <inheritdoc/>
    public bool Equals(Rejection? other) =>
        other is not null && Code == other.Code && Message == other.Message && Details.Count == other.Details.Count
        && Details.All(d => other.Details.TryGetValue(d.Key, out string? value) && value == d.Value);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Code, Message);
}
