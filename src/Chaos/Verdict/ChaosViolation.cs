namespace KafkaEventSourcing.Chaos.Verdict;

/// <summary>Something that must not happen, whatever is done to the system.</summary>
/// <param name="What">In one word or two.</param>
/// <param name="Text">What was seen, with a timeline where there is one.</param>
internal sealed record ChaosViolation(string What, string Text)
{
    public override string ToString() => $"{What}: {Text}";
}
