using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Streamiz;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Domain;

/// <summary>The application that is put under fire when no other is named: wallets, and payments between them.</summary>
internal static class WalletApplication
{
    /// <summary>The first argument of a process that is one of its nodes.</summary>
    public const string Argument = "chaos-domain";

    public const string Load = """
        {
          "wallet": {
            "aggregates": 6,
            "commands": [
              { "weight": 5, "name": "put-in", "body": { "amount": "{1..60}" } },
              { "weight": 4, "name": "take-out", "body": { "amount": "{1..70}" } }
            ]
          },
          "payment": {
            "commands": [ { "weight": 1, "name": "pay", "body": { "from": "{wallet}", "to": "{wallet}", "amount": "{1..40}" } } ]
          }
        }
        """;

    /// <summary>Snapshots that nodes can restore from, and topics in which a repeat would show.</summary>
    public static EventStreamsDefinition Streams { get; } = EventStreams.Define("wallet-streams")
        .From(Wallet.Definition)
        .From(Payment.Definition)
        .Snapshot(Wallet.Definition)
        .Snapshot(Payment.Definition)
        .PerEventType(Wallet.Definition)
        .PerEventType(Payment.Definition)
        .Build();

    public static ApplicationCommandLine Create() => EventSourcedApplication.Named("wallets",
        "Wallets and payments, to be put under fire by 'kes-chaos'.")
        .With(Wallet.Definition)
        .With(Payment.Definition)
        .With(WalletDocument.Projection)
        .WithCommand(starter => StreamsCommand.Create(starter, Streams));

    /// <summary>
    /// Whether the payments have ended, and no money was made or lost: what is in the wallets and what payments hold is what callers put in
    /// less what they took out.
    /// </summary>
    public static string? WhatIsWrong(IReadOnlyDictionary<string, IReadOnlyCollection<FinalState>> finals, IReadOnlySet<CommandId> sent)
    {
        IReadOnlyCollection<FinalState> wallets = finals[Wallet.Definition.Name];
        IReadOnlyCollection<FinalState> payments = finals[Payment.Definition.Name];
        if (payments.FirstOrDefault(p => !Payment.IsSettled((PaymentState)p.State)) is { } open)
            return $"the payment {open.AggregateId} has not come to its end: {open.State}";
        long there = wallets.Sum(p => ((WalletState)p.State).Balance) + payments.Sum(p => Payment.Holds((PaymentState)p.State));
        long paidIn = wallets.SelectMany(p => p.Events).Where(e => sent.Contains(e.CommandId))
            .Sum(e => e.Payload switch { MoneyPutIn put => put.Amount, MoneyTakenOut taken => -taken.Amount, _ => 0 });
        if (there != paidIn)
            return $"wallets and payments have {there}; {paidIn} was paid in";

        // Each wallet has of each payment what that payment says, no more and no less.
        foreach (FinalState wallet in wallets)
        {
            long moved = wallet.Events.Where(e => !sent.Contains(e.CommandId)).Sum(e =>
                e.Payload switch { MoneyPutIn put => put.Amount, MoneyTakenOut taken => -taken.Amount, _ => 0 });
            long due = payments.Select(p => (PaymentState)p.State).Where(p => p.Status == PaymentStatus.Done)
                .Sum(p => (p.To == wallet.AggregateId.Value ? p.Amount : 0) - (p.From == wallet.AggregateId.Value ? p.Amount : 0));
            if (moved != due)
                return $"payments have moved {moved} at the wallet {wallet.AggregateId}; by what became of them it is {due}";
        }

        return null;
    }
}
