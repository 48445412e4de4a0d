using AppNamespace;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;

return await EventSourcedApplication.Named("application-name", "Baskets, from the first item to the checkout.")
    .With(Basket.Definition)
    .With(Baskets.Definition)
    .WithEmbeddedServers()
    .RunAsync(args);
