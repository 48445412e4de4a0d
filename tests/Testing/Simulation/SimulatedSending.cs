namespace KafkaEventSourcing.Testing.Tests.Simulation;

/// <summary>One call on its way: a command (by the topic, or directly) or a read.</summary>
internal sealed class SimulatedSending(int client, AggregateId aggregateId, CommandEnvelope? command, bool direct, long started)
{
    public int Client => client;

    public AggregateId AggregateId => aggregateId;

    public CommandEnvelope? Command => command;

    public bool Direct => direct;

    public long Started => started;
}

/// <summary>An answer on its way to its caller; one of the topic reaches whoever waits for the command then.</summary>
internal sealed record SimulatedReply(SimulatedSending Sending, CommandResult? Result, AggregateView? View, bool Unavailable);
