using Banking;
using Banking.Demo;
using Banking.Domain;
using Banking.Ledger;
using Banking.ReadModels;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;

return await EventSourcedApplication.Named("bank", "A bank on KafkaEventSourcing: accounts, movements, statements.")
    .With(Account.Definition)
    .With(Transfer.Definition)
    .With(BankReadModels.Accounts)
    .With(BankReadModels.Statements, BankReadModels.StatementIndexes)
    .With(BankReadModels.Movements, BankReadModels.MovementsByAccountAndDay, BankReadModels.MovementsByCategoryAndDay)
    .With(BankReadModels.DailyTotals, BankReadModels.DailyTotalsByDay)
    .With(TransferReadModels.Transfers, TransferReadModels.TransferIndexes)
    .WithExamples(BankExamples.All)
    .WithEmbeddedServers()
    .WithCommand(DemoCommand.Create)
    .WithCommand(ImportCommand.Create)
    .Run(args);
