namespace KafkaEventSourcing.Hosting.Load;

/// <summary>How a <see cref="CommandFeed"/> sends.</summary>
public sealed record CommandFeedOptions
{
    /// <summary>The most commands without an answer at one time. Default 2,000.</summary>
    public int MaxInFlight { get; init; } = 2_000;

    /// <summary>How often a command is sent until its outcome is known. Default 3; each attempt lasts the client's time-out.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        if (MaxInFlight < 1)
            throw new InvalidInputException(nameof(MaxInFlight), $"{nameof(MaxInFlight)} is {MaxInFlight}; it must be at least 1.");
        if (Attempts < 1)
            throw new InvalidInputException(nameof(Attempts), $"{nameof(Attempts)} is {Attempts}; it must be at least 1.");
    }
}
