using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Domain;

/// <summary>The application that is put under fire when no other is named: purses, and payments between them.</summary>
internal static class PurseApplication
{
    /// <summary>The first argument of a process that is one of its nodes.</summary>
    public const string Argument = "chaos-domain";

    public const string Load = """
        {
          "purse": {
            "aggregates": 6,
            "commands": [
              { "weight": 5, "name": "put-in", "body": { "amount": "{1..60}" } },
              { "weight": 4, "name": "take-out", "body": { "amount": "{1..70}" } }
            ]
          },
          "payment": {
            "commands": [ { "weight": 1, "name": "pay", "body": { "from": "{purse}", "to": "{purse}", "amount": "{1..40}" } } ]
          }
        }
        """;

    public static EventSourcedApplication Create() => EventSourcedApplication.Named("purses", "Purses and payments, to be put under fire by 'kes-chaos'.")
        .With(Purse.Definition)
        .With(Payment.Definition)
        .With(PurseDocument.Projection);

    /// <summary>Whether the payments have ended, and no money was made or lost: what is in the purses and what payments hold is what callers put in less what they took out.</summary>
    public static string? WhatIsWrong(IReadOnlyDictionary<string, IReadOnlyCollection<FinalState>> finals, IReadOnlySet<CommandId> sent)
    {
        IReadOnlyCollection<FinalState> purses = finals[Purse.Definition.Name];
        IReadOnlyCollection<FinalState> payments = finals[Payment.Definition.Name];
        if (payments.FirstOrDefault(p => !Payment.IsSettled((PaymentState)p.State)) is { } open)
            return $"the payment {open.AggregateId} has not come to its end: {open.State}";
        long there = purses.Sum(p => ((PurseState)p.State).Balance) + payments.Sum(p => Payment.Holds((PaymentState)p.State));
        long paidIn = purses.SelectMany(p => p.Events).Where(e => sent.Contains(e.CommandId))
            .Sum(e => e.Payload switch { MoneyPutIn put => put.Amount, MoneyTakenOut taken => -taken.Amount, _ => 0 });
        if (there != paidIn)
            return $"purses and payments have {there}; {paidIn} was paid in";

        // Each purse has of each payment what that payment says, no more and no less.
        foreach (FinalState purse in purses)
        {
            long moved = purse.Events.Where(e => !sent.Contains(e.CommandId)).Sum(e => e.Payload switch { MoneyPutIn put => put.Amount, MoneyTakenOut taken => -taken.Amount, _ => 0 });
            long due = payments.Select(p => (PaymentState)p.State).Where(p => p.Status == PaymentStatus.Done)
                .Sum(p => (p.To == purse.AggregateId.Value ? p.Amount : 0) - (p.From == purse.AggregateId.Value ? p.Amount : 0));
            if (moved != due)
                return $"payments have moved {moved} at the purse {purse.AggregateId}; by what became of them it is {due}";
        }

        return null;
    }
}
