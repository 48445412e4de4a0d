namespace KafkaEventSourcing.Testing;

/// <summary>
/// How a call returned: exactly one of <see cref="Told"/>, <see cref="Seen"/>, <see cref="Unknown"/> and <see cref="NotTaken"/>.
/// </summary>
public abstract record CallAnswer
{
    private CallAnswer(long ended) => Ended = ended;

    /// <summary>When the call had returned, as a timestamp of the <see cref="TimeProvider"/>.</summary>
    public long Ended { get; }

    /// <summary>A command was answered.</summary>
    public sealed record Told : CallAnswer
    {
        /// <summary>Creates the answer.</summary>
        public Told(long ended, CommandResult result) : base(ended) => Result = result;

        /// <summary>The outcome as it was told.</summary>
        public CommandResult Result { get; }
    }

    /// <summary>A strong read was answered.</summary>
    public sealed record Seen : CallAnswer
    {
        /// <summary>Creates the answer.</summary>
        public Seen(long ended, AggregateView? view) : base(ended) => View = view;

        /// <summary>What it showed; null: the aggregate has no events.</summary>
        public AggregateView? View { get; }
    }

    /// <summary>The call ended without an answer. A command may have taken effect, may take effect later, or never.</summary>
    public sealed record Unknown : CallAnswer
    {
        /// <summary>Creates the answer.</summary>
        public Unknown(long ended, string reason) : base(ended) => Reason = reason;

        /// <summary>Why there is none.</summary>
        public string Reason { get; }
    }

    /// <summary>The call was refused before anything could happen: it has no effect, now or later.</summary>
    public sealed record NotTaken : CallAnswer
    {
        /// <summary>Creates the answer.</summary>
        public NotTaken(long ended, string reason) : base(ended) => Reason = reason;

        /// <summary>Why it was refused.</summary>
        public string Reason { get; }
    }
}
