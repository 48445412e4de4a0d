using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.FaultyApplication;

// Only a node has the bug: the checker loads this assembly too, and must find it.
if (args is ["run", ..])
    Warehouse.Bug = Environment.GetEnvironmentVariable("PLANTED") ?? "";
EventSourcedApplication warehouse = EventSourcedApplication.Named("warehouse", "A warehouse with planted bugs, for tests of 'kes-chaos'.")
    .With(Warehouse.Definition)
    .WithExamples(new Receive { Amount = 20 }, new Ship { Amount = 15 });
if (Environment.GetEnvironmentVariable("PLANTED_MAILER") is { } mailer) // for tests of subscriptions
    warehouse.With(Warehouse.Mailer(hangsAt: mailer));
return await warehouse.RunAsync(args);
