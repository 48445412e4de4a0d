using System.Globalization;
using KafkaEventSourcing.Streamiz;
using KafkaEventSourcing.Subscriptions;

namespace KafkaEventSourcing.FaultyApplication;

/// <summary>
/// Goods come and go, and never more go than there are; unless a node was started with a planted bug: then its functions are not pure, and
/// the node decides or folds now and then what they do not say.
/// </summary>
internal static class Warehouse
{
    private const int Now = 8; // every so many calls the bug shows
    private static int s_calls;

    /// <summary>The bug of this process: <c>decide</c>, <c>fold</c>, or none.</summary>
    public static string Bug { get; set; } = "";

    public static AggregateDefinition<Stock> Definition { get; } = AggregateDefinition.Define("goods", new Stock { Total = 0 })
        .Decides<Receive>((_, command) => Decision.Accept(new Received { Amount = command.Amount }))
        .Decides<Ship>((state, command) => command.Amount <= (Shows("decide") ? 0 : state.Total)
            ? Decision.Accept(new Shipped { Amount = command.Amount })
            : Decision.Reject("too-little", $"There are {state.Total}; {command.Amount} cannot be shipped."))
        .Evolves<Received>((state, received) => Shows("fold") ? state : new Stock { Total = state.Total + received.Amount })
        .Evolves<Shipped>((state, shipped) => new Stock { Total = state.Total - shipped.Amount })
        .Build();

    /// <summary>Snapshots that nodes can restore from.</summary>
    public static EventStreamsDefinition Streams { get; } =
        EventStreams.Define("warehouse-streams").From(Definition).Snapshot(Definition).Build();

    /// <summary>Says on standard output what it handles, and does not return from the version <paramref name="hangsAt"/> on.</summary>
    public static SubscriptionDefinition Mailer(string hangsAt) => Subscription.Named("mailer").From(Definition)
        .On<Received>((_, context, token) =>
        {
            Console.WriteLine($"handled {context.Event.AggregateId.Value} {context.Event.Version}.");
            return context.Event.Version.ToString(CultureInfo.InvariantCulture) == hangsAt
                ? Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token)
                : Task.CompletedTask;
        })
        .Build();

    private static bool Shows(string bug) => Bug == bug && Interlocked.Increment(ref s_calls) % Now == 0;
}
