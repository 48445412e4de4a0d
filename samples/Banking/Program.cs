using Banking;
using Banking.Demo;
using Banking.Domain;
using Banking.Ledger;
using Banking.ReadModels;
using Banking.Streams;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;

return await EventSourcedApplication.Named("bank", "A bank on KafkaEventSourcing: accounts, movements, statements.")
    .With(Account.Definition)
    .With(Transfer.Definition)
    .With(BankReadModels.Accounts)
    .With(BankReadModels.Statements)
    .With(BankReadModels.Movements)
    .With(BankReadModels.DailyTotals)
    .With(TransferReadModels.Transfers)
    .WithBankExamples()
    .WithEmbeddedServers()
    .WithCommand(DemoCommand.Create)
    .WithCommand(ImportCommand.Create)
    .WithCommand(StreamsCommand.Create)
    .WithVerification(StreamsVerification.VerifyAsync, StreamsVerification.AtLeastOnce)
    .RunAsync(args);
