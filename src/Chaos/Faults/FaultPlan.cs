namespace KafkaEventSourcing.Chaos.Faults;

/// <summary>What is done when, as a pure function of the options: the same seed gives the same plan, everywhere.</summary>
internal static class FaultPlan
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// The faults in the order in which they begin. No two befall one process at a time; faults of different processes
    /// do overlap. All begin within the duration.
    /// </summary>
    public static IReadOnlyList<Fault> Of(ChaosOptions options)
    {
        var random = new SeededRandom(options.Seed);
        var faults = new List<Fault>();
        var free = new TimeSpan[options.Nodes + 1 + options.Streams]; // from when on another fault may befall it
        TimeSpan at = WarmUp;
        while (true)
        {
            at += random.Between(TimeSpan.FromMilliseconds(100), 2 * options.FaultEvery);
            FaultKind kind = random.Of(options.Faults);
            int node = kind == FaultKind.KillServers ? Fault.Servers
                : kind.IsOfStreams() ? Fault.OfStreams(random.Below(options.Streams))
                : random.Below(options.Nodes);
            Fault fault = Make(at, kind, node, options, random);
            if (at >= options.Duration)
                return faults;
            int place = node >= 0 ? node : options.Nodes + Fault.Servers - node; // the servers come behind the nodes, then the streams
            if (at < free[place])
                continue;
            free[place] = fault.Ends + TimeSpan.FromMilliseconds(200);
            faults.Add(fault);
        }
    }

    private static Fault Make(TimeSpan at, FaultKind kind, int node, ChaosOptions options, SeededRandom random)
    {
        TimeSpan session = options.SessionTimeout;
        TimeSpan lasts = kind switch
        {
            FaultKind.KillNode or FaultKind.WipeNode or FaultKind.JumpClock or FaultKind.KillStreams or FaultKind.WipeStreams =>
                random.Chance(50) ? random.Between(TimeSpan.Zero, session / 2) : random.Between(session, session * 1.5),
            FaultKind.EndNode => random.Between(TimeSpan.Zero, session / 2),
            FaultKind.PauseNode or FaultKind.PauseStreams => random.Between(session * 1.1, session * 1.7),
            FaultKind.FreezeNode => random.Between(session * 0.2, session * 0.7),
            FaultKind.KillServers => random.Between(TimeSpan.Zero, TimeSpan.FromSeconds(1)),
            _ => random.Between(TimeSpan.FromMilliseconds(100), session * 1.5),
        };
        TimeSpan amount = kind switch
        {
            FaultKind.DelayKafka or FaultKind.DelayStreams => random.Between(TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(150)),
            FaultKind.JumpClock => TimeSpan.FromSeconds(random.Between(-3, 3)),
            _ => TimeSpan.Zero,
        };
        return new Fault(at, kind, node, lasts, amount);
    }
}
