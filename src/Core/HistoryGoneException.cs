namespace KafkaEventSourcing;

/// <summary>Events of an aggregate that were asked for are not in the log any more: it begins behind them.</summary>
public sealed class HistoryGoneException : Exception
{
    /// <summary>Creates the error for the versions from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public HistoryGoneException(AggregateId aggregateId, long first, long last, string message) : base(message) =>
        (AggregateId, First, Last) = (aggregateId, first, last);

    /// <summary>The aggregate.</summary>
    public AggregateId AggregateId { get; }

    /// <summary>The first version that is gone.</summary>
    public long First { get; }

    /// <summary>The last version that is gone.</summary>
    public long Last { get; }
}
