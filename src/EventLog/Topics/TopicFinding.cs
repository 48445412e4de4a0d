namespace KafkaEventSourcing.EventLog;

/// <summary>What a topic that is not as declared may do.</summary>
public enum TopicRisk
{
    /// <summary>It is weaker than it should be: a failure of brokers may lose what would be kept otherwise.</summary>
    Weaker,

    /// <summary>It loses what is the truth as time goes by, or refuses what the engine writes.</summary>
    LosesData,

    /// <summary>Keys lie where nobody looks for them, or the topic is not there: nothing can be decided on it.</summary>
    Unusable,
}

/// <summary>One thing of a topic that is not as it must or should be.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Setting">A config by Kafka's name, <c>partitions</c>, or <c>replicas</c>.</param>
/// <param name="Found">What it is.</param>
/// <param name="Wanted">What it must or should be, in words.</param>
/// <param name="Risk">How bad it is.</param>
/// <param name="Consequence">What comes of it, in words.</param>
public sealed record TopicFinding(string Topic, string Setting, string Found, string Wanted, TopicRisk Risk, string Consequence)
{
    /// <summary>The finding as a sentence.</summary>
    public override string ToString() =>
        $"{Topic}: {Setting} is {Found}; it {(Risk == TopicRisk.Weaker ? "should" : "must")} be {Wanted}. {Consequence}";
}

/// <summary>What was found of the topics of one aggregate type. Immutable.</summary>
/// <param name="Findings">What is not as it must or should be, the worst first; empty: all is well.</param>
public sealed record TopicStatus(IReadOnlyList<TopicFinding> Findings)
{
    /// <summary>Whether nothing loses data and nothing is unusable.</summary>
    public bool IsSafe => Findings.All(f => f.Risk == TopicRisk.Weaker);

    /// <summary>Whether the topics can be worked on at all.</summary>
    public bool IsUsable => Findings.All(f => f.Risk != TopicRisk.Unusable);

    /// <summary>The findings of one risk.</summary>
    public IEnumerable<TopicFinding> Of(TopicRisk risk) => Findings.Where(f => f.Risk == risk);
}
