using KafkaEventSourcing.Chaos.Domain;
using KafkaEventSourcing.FaultyApplication;
using KafkaEventSourcing.Hosting;

// Only a node has the bug, or the streams: the checker loads this assembly too, and must find it.
string planted = Environment.GetEnvironmentVariable("PLANTED") ?? "";
if (args is ["run", ..])
    Warehouse.Bug = planted;
else if (args is ["streams", ..] && planted == "fold-of-streams")
    Warehouse.Bug = "fold";
EventSourcedApplication warehouse = EventSourcedApplication.Named("warehouse", "A warehouse with planted bugs, for tests of 'kes-chaos'.")
    .With(Warehouse.Definition)
    .WithExamples(new Receive { Amount = 20 }, new Ship { Amount = 15 });
if (Environment.GetEnvironmentVariable("PLANTED_MAILER") is { } mailer) // for tests of subscriptions
    warehouse.With(Warehouse.Mailer(hangsAt: mailer));
return await warehouse.WithCommand(starter => StreamsCommand.Create(starter, Warehouse.Streams,
    planted == "early-marks" ? EarlyMarks.Clients : null)).RunAsync(args);
