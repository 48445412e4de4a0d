using System.CommandLine;
using System.Globalization;
using KafkaEventSourcing.Bench;
using KafkaEventSourcing.Hosting;

var commands = new Option<int>("--commands") { Description = "commands of each end-to-end run", DefaultValueFactory = _ => 300_000 };
var accounts = new Option<int>("--accounts") { Description = "accounts that they go to", DefaultValueFactory = _ => 10_000 };
var runs = new Option<int>("--runs") { Description = "runs of each figure; the median is printed", DefaultValueFactory = _ => 5 };
var inFlight = new Option<int>("--in-flight") { Description = "commands without an answer at one time", DefaultValueFactory = _ => 20_000 };
var rate = new Option<int>("--rate")
{
    Description = "commands a second that are offered while nodes come and go", DefaultValueFactory = _ => 2_000,
};
var aggregates = new Option<int>("--aggregates") { Description = "aggregates that are restored", DefaultValueFactory = _ => 1_000_000 };
var gigabytes = new Option<int>("--gigabytes") { Description = "log of the broker that is restarted, in GB", DefaultValueFactory = _ => 2 };
var only = new Option<string>("--only")
{
    Description = "one of encode, decode, append, decide, engine, fold, project, process, process-topic, writers, "
        + "end-to-end, topic, doors, reads, history, moves, restore, streams, archive, broker, restart",
    DefaultValueFactory = _ => "",
};

var kafkaServers = new Option<string?>("--kafka")
{
    Description = "Kafka brokers to measure on, host:port[,host:port]; topics stay behind (default: embedded)",
};
var registry = new Option<string?>("--registry") { Description = "Schema Registry to use (default: embedded)" };
var mongo = new Option<string?>("--mongodb")
{
    Description = "MongoDB to use, a connection string; databases stay behind (default: embedded)",
};

var withoutBarriers = new Option<bool>("--without-barriers")
{
    Description = "nodes of process and end-to-end write no snapshots, as where event streams keep them",
};

var withoutEvents = new Option<bool>("--without-events")
{
    Description = "state stores of process and end-to-end keep the places of events, and not the events",
};

var root = new RootCommand("Figures of this machine, each the median of several runs in one go.")
{
    commands,
    accounts,
    runs,
    inFlight,
    rate,
    aggregates,
    gigabytes,
    only,
    kafkaServers,
    registry,
    mongo,
    withoutBarriers,
    withoutEvents,
};
root.SetAction(async (result, cancellationToken) =>
{
    var load = new Load(result.GetValue(commands), result.GetValue(accounts), result.GetValue(inFlight), result.GetValue(runs),
        result.GetValue(rate), result.GetValue(aggregates), result.GetValue(gigabytes),
        new ServerAddresses
        {
            Kafka = result.GetValue(kafkaServers), Registry = result.GetValue(registry), MongoDB = result.GetValue(mongo),
        })
    {
        WithoutBarriers = result.GetValue(withoutBarriers),
        WithoutEvents = result.GetValue(withoutEvents),
    };
    string wanted = result.GetValue(only)!;
    (string Name, Func<Load, CancellationToken, Task> Run)[] stages =
    [
        ("encode", Stages.Encode),
        ("decode", Stages.Decode),
        ("decide", Stages.Decide),
        ("engine", EngineBenchmarks.Run),
        ("fold", Stages.Fold),
        ("append", AppendStage.Run),
        ("project", ProjectStage.Run),
        ("process", EndToEnd.Process),
        ("process-topic", EndToEnd.ProcessTopic),
        ("writers", WriterStage.Run),
        ("end-to-end", EndToEnd.Direct),
        ("topic", EndToEnd.Topic),
        ("doors", DoorStage.Run),
        ("reads", ReadStage.Run),
        ("history", HistoryStage.Run),
        ("archive", ArchiveStage.Run),
        ("moves", MoveStage.Run),
        ("restore", RestoreStage.Run),
        ("streams", StreamsStage.Run),
        ("broker", BrokerStage.Run),
        ("restart", RestartStage.Run),
    ];
    if (wanted.Length > 0 && stages.All(s => s.Name != wanted))
    {
        await Console.Error.WriteLineAsync($"--only is '{wanted}'; it must be one of {string.Join(", ", stages.Select(s => s.Name))}.")
            .ConfigureAwait(false);
        return 2;
    }

    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{Environment.ProcessorCount} cores, .NET {Environment.Version}, medians of {load.Runs} runs (lowest … highest)"));
    foreach ((string name, Func<Load, CancellationToken, Task> run) in stages)
    {
        if (wanted.Length == 0 || wanted == name)
            await run(load, cancellationToken).ConfigureAwait(false);
    }

    return 0;
});
var folder = new Argument<string>("folder");
var kafka = new Command(BenchProcess.KafkaCommand) { folder };
kafka.Hidden = true;
kafka.SetAction((result, cancellationToken) => BenchProcess.ServeKafka(result.GetValue(folder)!, cancellationToken));
var loopback = new Command(BenchProcess.LoopbackCommand) { folder };
loopback.Hidden = true;
loopback.SetAction((_, _) => BenchProcess.ServeLoopback());
foreach ((string name, Func<string, CancellationToken, Task> serve) in (ReadOnlySpan<(string, Func<string, CancellationToken, Task>)>)
    [(BenchProcess.ServersCommand, WriterStage.Serve), (BenchProcess.StreamsCommand, WriterStage.ServeStreams)])
{
    var served = new Argument<string>("place");
    var command = new Command(name) { served };
    command.Hidden = true;
    command.SetAction((result, cancellationToken) => serve(result.GetValue(served)!, cancellationToken));
    root.Subcommands.Add(command);
}

root.Subcommands.Add(kafka);
root.Subcommands.Add(loopback);
return await root.Parse(args).InvokeAsync().ConfigureAwait(false);
