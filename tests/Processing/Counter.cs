using Counting;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>A small aggregate: a counter that refuses to go below zero.</summary>
internal static class Counter
{
    public static AggregateDefinition Definition { get; } = AggregateDefinition.Define("counter", new Count { Total = 0 })
        .Decides<Add>((state, command) => state.Total + command.By < 0
            ? Decision.Reject("below-zero", "A counter does not go below zero.", ("total", state.Total), ("by", command.By))
            : Decision.Accept([.. Enumerable.Repeat<object>(new Added { By = command.By }, command.Times)]))
        .Decides<Fail>((_, _) => throw new InvalidOperationException("out of order"))
        .Evolves<Added>((state, added) => state with { Total = state.Total + added.By })
        .Build();

    /// <summary>Adds to another counter, and once more when its timer elapses: a process over the same messages.</summary>
    public static AggregateDefinition Process { get; } = AggregateDefinition.Define("relay", new Count { Total = 0 })
        .Decides<Forward>((_, command) => Decision.Accept(new Added { By = command.By }))
        .Decides<CommandCompleted>((_, answer) => answer.IsAccepted ? Decision.Nothing : Decision.Accept(new Added { By = 0 }))
        .Decides<TimerElapsed>((state, _) =>
            state.Total < 0 ? throw new InvalidOperationException("out of order") : Decision.Accept(new Added { By = 1 }))
        .Evolves<Added>((state, added) => state with { Total = state.Total + added.By })
        .Reacts<Added>((state, added) => added.By switch
        {
            0 => Reaction.None.Cancel("again"),
            99 => Reaction.None.Send("unknown", AggregateId.Parse("x"), new Added { By = 1 }),
            _ => Reaction.None.Send("first", AggregateId.Parse("x"), new Add { By = added.By }).Send("second", AggregateId.Parse("y"),
                new Add { By = (int)state.Total }).At("again", ProcessingFixture.RecordTime.AddHours(added.By == 1 ? 2 : 1)),
        })
        .Build();

    public static AvroRecordType State => AvroRecordType.Of<Count>();

    public static IEnumerable<AvroRecordType> Types { get; } = [AvroRecordType.Of<Add>(), AvroRecordType.Of<Fail>(),
        AvroRecordType.Of<Added>(), AvroRecordType.Of<Forward>(), State];

    public static StateStore Open(string directory, int recentLimit = 4) => StateStore.Open(directory, Definition, State, recentLimit);
}
