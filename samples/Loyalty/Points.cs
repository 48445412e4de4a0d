using KafkaEventSourcing;

namespace Loyalty;

/// <summary>The rules of a customer's points.</summary>
public static class Points
{
    public static AggregateDefinition<PointsState> Definition { get; } = AggregateDefinition
        .Define("points", new PointsState { Balance = 0 })
        .Decides<EarnPoints>((_, earn) => earn.Points > 0
            ? Decision.Accept(new PointsEarned { Points = earn.Points, Reason = earn.Reason })
            : Decision.Reject("no-points", $"{earn.Points} points cannot be earned.", ("points", earn.Points)))
        .Decides<SpendPoints>((state, spend) => spend.Points > 0 && spend.Points <= state.Balance
            ? Decision.Accept(new PointsSpent { Points = spend.Points })
            : Decision.Reject("not-enough-points", $"{spend.Points} points are wanted, {state.Balance} are there.",
                ("balance", state.Balance)))
        .Evolves<PointsEarned>((state, earned) => state with { Balance = state.Balance + earned.Points })
        .Evolves<PointsSpent>((state, spent) => state with { Balance = state.Balance - spent.Points })
        .Build();
}
