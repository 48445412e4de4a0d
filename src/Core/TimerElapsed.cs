namespace KafkaEventSourcing;

/// <summary>A timer of a process is due: what a process decides by <c>Decides&lt;TimerElapsed&gt;</c>. Only the engine sends it.</summary>
/// <param name="Name">What the process called the timer.</param>
/// <param name="Due">When it was due.</param>
public sealed record TimerElapsed(string Name, DateTimeOffset Due);
