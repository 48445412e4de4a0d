using Counting;
using KafkaEventSourcing.Avro;

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

    public static AvroRecordType State => AvroRecordType.Of<Count>();

    public static IEnumerable<AvroRecordType> Types { get; } = [AvroRecordType.Of<Add>(), AvroRecordType.Of<Fail>(), AvroRecordType.Of<Added>(), State];

    public static StateStore Open(string directory, int recentLimit = 4) => StateStore.Open(directory, Definition, State, recentLimit);
}
