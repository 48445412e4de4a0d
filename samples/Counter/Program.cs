// The smallest application: one aggregate, no read model, and therefore no MongoDB.
//
//   dotnet run --project samples/Counter -c Release -- run
//   curl localhost:8080/counter/visits/count --json '{"by":2}'
//   curl localhost:8080/counter/visits
using Counter;
using KafkaEventSourcing;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;

AggregateDefinition<CounterState> counter = AggregateDefinition
    .Define("counter", new CounterState { Total = 0 })
    .Decides<Count>((_, count) => count.By == 0
        ? Decision.Reject("nothing-to-count", "A count by 0 changes nothing.")
        : Decision.Accept(new Counted { By = count.By }))
    .Evolves<Counted>((state, counted) => state with { Total = state.Total + counted.By })
    .Build();

return await EventSourcedApplication.Named("counters", "Counters, each under its name.")
    .With(counter)
    .WithEmbeddedServers()
    .RunAsync(args);
