using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using Library;

return await EventSourcedApplication.Named("library", "A library: copies, loans, members and their fines.")
    .With(Copy.Definition)
    .With(Member.Definition)
    .With(ReadModels.Catalogue)
    .With(ReadModels.Accounts)
    .With(ReadModels.PastLoans)
    .With(ReadModels.BusyDays)
    .WithEmbeddedServers()
    .RunAsync(args);
