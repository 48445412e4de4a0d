using System.Globalization;
using KafkaEventSourcing.Chaos.Faults;
using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Chaos;

/// <summary>What a run of chaos is made of.</summary>
internal sealed record ChaosOptions
{
    /// <summary>Decides the plan of the faults and what is sent.</summary>
    public required long Seed { get; init; }

    /// <summary>Servers that are there already; null, the default: embedded ones are started.</summary>
    public ServerAddresses? Servers { get; init; }

    /// <summary>
    /// Tells the runs of one session from those of others on servers that stay; empty where the servers are the session's own.
    /// </summary>
    public string Session { get; init; } = "";

    /// <summary>What the ids of the run's aggregates and commands begin with.</summary>
    public string RunName => string.Create(CultureInfo.InvariantCulture, $"s{Seed}{Session}");

    /// <summary>Nodes of the application.</summary>
    public int Nodes { get; init; } = 3;

    /// <summary>How long faults begin; the load lasts until the last one is over.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>After what silence a node's partitions go to others.</summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>The mean time from one fault to the next.</summary>
    public TimeSpan FaultEvery { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>The kinds of faults that may happen.</summary>
    public IReadOnlyList<FaultKind> Faults { get; init; } = FaultKinds.OfNodes;

    /// <summary>
    /// Processes of the application's event streams. With them nodes restore from the streams' snapshots, but for the last, which keeps to
    /// barriers, as in a cluster that is changed from one to the other.
    /// </summary>
    public int Streams { get; init; }

    /// <summary>
    /// Whether nodes archive events in small ranges and let them leave their topics as soon as all have passed them; the checker reads
    /// both.
    /// </summary>
    public bool WithArchive { get; init; }

    /// <summary>Where the archive is; null: there is none. A session has one in its own folder.</summary>
    public string? ArchiveFolder { get; init; }

    /// <summary>After how many events of a partition a node writes a barrier, or its position; 0: what nodes do by themselves.</summary>
    public int BarrierEvents { get; init; }

    /// <summary>
    /// How many calls are made at least: the load lasts longer than <see cref="Duration"/> where a busy machine makes fewer in it.
    /// </summary>
    public int Calls { get; init; }

    /// <summary>Concurrent callers.</summary>
    public int Callers { get; init; } = 8;

    /// <summary>The mean pause of a caller between two calls.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Partitions of the topics.</summary>
    public int Partitions { get; init; } = 4;

    /// <summary>Warm copies of each partition.</summary>
    public int Standbys { get; init; } = 1;

    /// <summary>Within this time after the last fault everything must be answered and settled; what is not is a violation.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        Check("--kafka", Servers is null || Servers.AreComplete(mongoDB: true),
            "--kafka, --registry and --mongodb go together: give all three, or none to have servers started.");
        Check("--nodes", Nodes is >= 1 and <= 20, $"--nodes is {Nodes}; it must be from 1 to 20.");
        Check("--duration", Duration >= TimeSpan.FromSeconds(1) && Duration <= TimeSpan.FromDays(7),
            $"--duration is {Duration.TotalSeconds:0.#} s; it must be from 1 s to 7 d.");
        Check("--session-timeout", SessionTimeout >= TimeSpan.FromSeconds(1) && SessionTimeout <= TimeSpan.FromMinutes(5),
            $"--session-timeout is {SessionTimeout.TotalSeconds:0.#} s; it must be from 1 s to 5 min.");
        Check("--fault-every", FaultEvery >= TimeSpan.FromMilliseconds(100),
            $"--fault-every is {FaultEvery.TotalSeconds:0.###} s; it must be at least 100 ms.");
        Check("--calls", Calls >= 0, $"--calls is {Calls}; it must not be negative.");
        Check("--callers", Callers is >= 1 and <= 1_000, $"--callers is {Callers}; it must be from 1 to 1,000.");
        Check("--pause", Pause >= TimeSpan.Zero && Pause <= TimeSpan.FromMinutes(1),
            $"--pause is {Pause.TotalSeconds:0.###} s; it must be from 0 to 1 min.");
        // What is somebody else's, and what leads past a proxy, cannot be spoiled.
        Check("--faults", Servers is null || Faults.All(k => k.NeedsNoServers()),
            "--faults: on servers of your own only nodes and the ways between them have faults, and streams: "
            + $"{string.Join(", ", Enum.GetValues<FaultKind>().Where(k => k.NeedsNoServers()).Select(Fault.NameOf))}.");
        Check("--faults", Streams > 0 || !Faults.Any(k => k.IsOfStreams()),
            "--faults has a kind of event streams, and there are none: say how many with --streams.");
        Check("--streams", Streams is >= 0 and <= 8, $"--streams is {Streams}; it must be from 0 to 8.");
        Check("--barrier-events", BarrierEvents >= 0, $"--barrier-events is {BarrierEvents}; it must not be negative.");
        Check("--partitions", Partitions is >= 1 and <= 1_000, $"--partitions is {Partitions}; it must be from 1 to 1,000.");
        Check("--standbys", Standbys >= 0 && Standbys < Math.Max(1, Nodes),
            $"--standbys is {Standbys}; it must be at least 0 and less than the {Nodes} nodes.");
        Check("--patience", Patience >= TimeSpan.FromSeconds(5), $"--patience is {Patience.TotalSeconds:0.#} s; it must be at least 5 s.");
    }

    private static void Check(string field, bool holds, string message)
    {
        if (!holds)
            throw new InvalidInputException(field, message);
    }
}
