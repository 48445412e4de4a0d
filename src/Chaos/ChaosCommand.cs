using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using KafkaEventSourcing.Chaos.Cluster;
using KafkaEventSourcing.Chaos.Faults;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Chaos;

/// <summary><c>kes-chaos</c>: an application under fire, and a verdict on what its callers saw.</summary>
internal static class ChaosCommand
{
    // Without a position nothing can be restored from streams: a small run must have some.
    private const int BarrierEventsWithStreams = 10;

    private static readonly ChaosOptions Defaults = new() { Seed = 0 };

    public static RootCommand Create()
    {
        var command = new RootCommand(
            "run several nodes of an application, send commands, kill, pause and cut off nodes and servers by a seeded plan, and check "
                + "that what callers were told can be");
        var application = new Argument<string[]>("application")
        {
            Description = "after --: how a node is started, such as dotnet Banking.dll run (default: a small built-in application)",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<long> seed = Number("--seed", "decides faults and load (default: a new one each time)",
            TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());
        Option<int> runs = Count("--runs", "how many seeds, one after the other", 1);
        Option<int> nodes = Count("--nodes", "nodes of the application", Defaults.Nodes);
        Option<TimeSpan> duration = Time("--duration", "how long faults begin in a run; its load lasts until the last one is over",
            Defaults.Duration);
        Option<TimeSpan> session = Time("--session-timeout", "after what silence a node's partitions go to others",
            Defaults.SessionTimeout);
        Option<TimeSpan> every = Time("--fault-every", "mean time from one fault to the next", Defaults.FaultEvery);
        Option<int> calls = Count("--calls", "the least number of calls: the load of a run lasts until they are made", Defaults.Calls);
        Option<int> callers = Count("--callers", "concurrent callers", Defaults.Callers);
        Option<TimeSpan> pause = Time("--pause", "mean pause of a caller between two calls", Defaults.Pause);
        Option<int> partitions = Count("--partitions", "partitions of the topics", Defaults.Partitions);
        Option<int> standbys = Count("--standbys", "warm copies of each partition", Defaults.Standbys);
        Option<TimeSpan> patience = Time("--patience", "how long after the last fault all must be answered and settled", Defaults.Patience);
        Option<int> streams = Count("--streams",
            "processes of the application's event streams, whose snapshots the nodes restore from, but for the last node", 0);
        Option<int> barriers = Count("--barrier-events",
            "after how many events of a partition a node writes a barrier, or its position; 0: as nodes do by themselves, and with "
                + $"--streams {BarrierEventsWithStreams}", 0);
        var archive = new Option<bool>("--archive")
        {
            Description = "nodes archive events and let them leave their topics as soon as they may; who checks reads archive and topics",
        };
        // Without the variables of other commands: a shell that is set up for production must not be enough to put it under fire.
        var kafka = new Option<string?>("--kafka")
        {
            Description = "Kafka brokers to use, host:port[,host:port], with --registry and --mongodb (default: embedded servers are "
                + "started)",
        };
        var registry = new Option<string?>("--registry") { Description = "Schema Registry to use" };
        var mongo = new Option<string?>("--mongodb") { Description = "MongoDB to use, a connection string" };
        var settings = new Option<string[]>("--kafka-setting")
        {
            Description = "a librdkafka setting, name=value, for all clients of these brokers; may be repeated",
        };
        var faults = new Option<string[]>("--faults")
        {
            Description = $"the kinds of faults, with commas between (default: all). {string.Join(", ", Kinds.Keys)}",
            AllowMultipleArgumentsPerToken = true,
        };
        var load = new Option<FileInfo?>("--load")
        {
            Description = "a workload as JSON (default: the examples of the application's API page)",
        };
        var output = new Option<string?>("--output")
        {
            Description = "folder for the files of each run (default: data/chaos, and only of runs with a violation)",
        };
        var plan = new Option<bool>("--plan") { Description = "print the faults of the seed and do nothing" };
        command.Arguments.Add(application);
        foreach (Option option in (Option[])[seed, runs, nodes, duration, session, every, calls, callers, pause, partitions, standbys,
            patience, streams, barriers, archive, kafka, registry, mongo, settings, faults, load, output, plan])
            command.Options.Add(option);
        command.SetAction(async (result, cancellationToken) =>
        {
            ServerAddresses? servers = ServersOf(result.GetValue(kafka), result.GetValue(settings) ?? [], result.GetValue(registry),
                result.GetValue(mongo));
            var options = new ChaosOptions
            {
                Seed = result.GetValue(seed),
                Servers = servers,
                Session = servers is null
                    ? ""
                    : string.Create(CultureInfo.InvariantCulture, $"at{TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()}"),
                Nodes = result.GetValue(nodes),
                Duration = result.GetValue(duration),
                SessionTimeout = result.GetValue(session),
                FaultEvery = result.GetValue(every),
                Faults = KindsOf(result.GetValue(faults) ?? [], servers is not null, result.GetValue(streams) > 0),
                Calls = result.GetValue(calls),
                Callers = result.GetValue(callers),
                Pause = result.GetValue(pause),
                Partitions = result.GetValue(partitions),
                Standbys = Math.Min(result.GetValue(standbys), Math.Max(0, result.GetValue(nodes) - 1)),
                Patience = result.GetValue(patience),
                Streams = result.GetValue(streams),
                WithArchive = result.GetValue(archive),
                BarrierEvents = result.GetValue(barriers) is 0 && result.GetValue(streams) > 0 ? BarrierEventsWithStreams
                    : result.GetValue(barriers),
            };
            options.Validate();
            if (result.GetValue(runs) < 1)
                throw new InvalidInputException("--runs", $"--runs is {result.GetValue(runs)}; it must be at least 1.");
            if (result.GetValue(plan))
            {
                foreach (Fault fault in Enumerable.Range(0, result.GetValue(runs)).SelectMany(r =>
                    FaultPlan.Of(options with { Seed = options.Seed + r })))
                    Console.WriteLine(fault);
                return ExitCodes.Done;
            }

            if (result.GetValue(load) is { Exists: false } missing)
                throw new InvalidInputException("--load", $"--load: there is no file {missing.FullName}.");
            string? workload = result.GetValue(load) is { } file
                ? await File.ReadAllTextAsync(file.FullName, cancellationToken).ConfigureAwait(false)
                : null;
            string[] named = result.GetValue(application) ?? [];
            DomainUnderTest domain = named.Length == 0
                ? DomainUnderTest.Wallets with { Load = workload ?? DomainUnderTest.Wallets.Load }
                : DomainUnderTest.Of(named, workload);
            if (options.Streams > 0 && domain.Streams is null)
                throw new InvalidInputException("--streams",
                    "--streams: the application has no event streams: no static property of the type EventStreamsDefinition that has "
                        + "snapshots, whose processes its command 'streams' runs.");
            var trial = new ChaosSession(domain, options, result.GetValue(runs),
                Path.GetFullPath(result.GetValue(output) ?? Path.Combine("data", "chaos")), result.GetValue(output) is not null,
                TimeProvider.System);
            return await trial.Run(Console.WriteLine, cancellationToken).ConfigureAwait(false) ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static Dictionary<string, FaultKind> Kinds { get; } = Enum.GetValues<FaultKind>().ToDictionary(Fault.NameOf);

    private static ServerAddresses? ServersOf(string? kafka, string[] settings, string? registry, string? mongo) =>
        kafka is null && registry is null && mongo is null && settings.Length == 0 ? null : new ServerAddresses
        {
            Kafka = kafka,
            KafkaSettings = ServerOptions.Pairs(settings, "--kafka-setting"),
            Registry = registry,
            MongoDB = mongo,
        };

    private static FaultKind[] KindsOf(string[] names, bool isOutside, bool withStreams)
    {
        string[] asked = [.. names.SelectMany(n => n.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
        if (asked.FirstOrDefault(n => !Kinds.ContainsKey(n)) is { } unknown)
            throw new InvalidInputException("--faults", $"--faults has '{unknown}'; there are {string.Join(", ", Kinds.Keys)}.");
        FaultKind[] kinds = asked.Length > 0 ? [.. asked.Select(n => Kinds[n]).Distinct()]
            : withStreams ? [.. FaultKinds.WithStreams]
            : [.. FaultKinds.OfNodes];
        // What this system cannot do is left out of the default, and refused where it was asked for.
        if (asked.Length > 0 && kinds.Contains(FaultKind.FullDisk) && !FileSizeLimit.IsSupported)
            throw new InvalidInputException("--faults", "full-disk is there on 64-bit Linux only.");
        if (asked.Length == 0 && isOutside)
            kinds = [.. kinds.Where(k => k.NeedsNoServers())];
        return FileSizeLimit.IsSupported ? kinds : [.. kinds.Where(k => k != FaultKind.FullDisk)];
    }

    private static Option<long> Number(string name, string description, long fallback) =>
        new(name) { Description = description, DefaultValueFactory = _ => fallback };

    private static Option<int> Count(string name, string description, int fallback) =>
        new(name)
        {
            Description = string.Create(CultureInfo.InvariantCulture, $"{description} (default {fallback})"),
            DefaultValueFactory = _ => fallback,
        };

    private static Option<TimeSpan> Time(string name, string description, TimeSpan fallback) => new(name)
    {
        Description = string.Create(CultureInfo.InvariantCulture,
            $"{description}, such as 500ms, 30s, 5m, 1h (default {fallback.TotalSeconds:0.###}s)"),
        DefaultValueFactory = _ => fallback,
        CustomParser = result =>
        {
            if (TryParse(result.Tokens[0].Value, out TimeSpan time))
                return time;
            result.AddError($"{name} is '{result.Tokens[0].Value}'; it must be a time such as 500ms, 30s, 5m or 1h.");
            return fallback;
        },
    };

    internal static bool TryParse(string text, out TimeSpan time)
    {
        (string unit, double milliseconds)[] units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
        foreach ((string unit, double milliseconds) in units)
        {
            if (!text.EndsWith(unit, StringComparison.Ordinal))
                continue;
            bool isNumber = double.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture, out double number) && number * milliseconds < int.MaxValue;
            time = isNumber ? TimeSpan.FromMilliseconds(number * milliseconds) : default;
            return isNumber;
        }

        time = default;
        return false;
    }
}
