using System.Diagnostics;
using System.Globalization;
using Banking.Domain;
using Banking.ReadModels;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Bench;

/// <summary>Events in memory to read models in MongoDB.</summary>
internal static class ProjectStage
{
    private const int Events = 100_000;
    private const int BatchEvents = 5_000;

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
        List<RecordedEvent> events = Recorded(load);
        ProjectionDefinition[] projections = [BankReadModels.Accounts, BankReadModels.Statements, BankReadModels.Movements,
            BankReadModels.DailyTotals];
        var sample = new Sample("project: four read models, one transaction a batch", "events/s");
        for (int run = 0; run <= load.Runs; run++)
        {
            using var store = new MongoProjectionStore(
                new MongoProjectionOptions
                {
                    ConnectionString = servers.Addresses.MongoDB!,
                    Database = $"{servers.Application}-project-{run}",
                },
                TimeProvider.System, NullLogger<MongoProjectionStore>.Instance);
            await store.PrepareAsync(projections, cancellationToken).ConfigureAwait(false);
            await using var engine = new ProjectionEngine(projections, store, new ProjectionEngineOptions(),
                NullLogger<ProjectionEngine>.Instance);
            TimeSpan cpu = Environment.CpuUsage.TotalTime;
            long allocated = GC.GetTotalAllocatedBytes();
            long started = Stopwatch.GetTimestamp();
            for (int at = 0; at < events.Count; at += BatchEvents)
            {
                List<RecordedEvent> batch = events.GetRange(at, Math.Min(BatchEvents, events.Count - at));
                await engine.ProjectAsync(0, at == 0
                    ? 0
                    : events[at - 1].Offset + 1, batch, batch[^1].Offset + 1, cancellationToken).ConfigureAwait(false);
            }

            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  run {run}: {events.Count / seconds:N0} "
                    + $"events/s, {(Environment.CpuUsage.TotalTime - cpu).TotalMicroseconds / events.Count:N1} µs of CPU "
                    + $"and {(GC.GetTotalAllocatedBytes() - allocated) / events.Count:N0} B allocated an "
                    + $"event{(run == 0 ? " (warm-up)" : "")}"));
            if (run > 0)
                sample.Add(events.Count / seconds);
        }

        sample.Print();
    }

    private static List<RecordedEvent> Recorded(Load load)
    {
        var recorded = new List<RecordedEvent>();
        var states = new Dictionary<AggregateId, (object State, long Version)>();
        foreach (CommandEnvelope command in load.Movements(Events).Openings().Concat(load.Movements(Events).Movements()))
        {
            (object state, long version) = states.TryGetValue(command.AggregateId, out (object, long) known)
                ? known
                : (Account.Definition.InitialState, 0);
            Decision decision = Account.Definition.Decide(state, command.Payload,
                new CommandContext(command.AggregateId, command.CommandId, command.Time!.Value, version));
            for (int i = 0; i < decision.Count; i++)
            {
                state = Account.Definition.Evolve(state, decision[i]);
                recorded.Add(new RecordedEvent
                {
                    AggregateId = command.AggregateId, Version = ++version, Payload = decision[i], Partition = 0, Offset = recorded.Count,
                    Time = command.Time.Value,
                    CommandId = command.CommandId,
                });
            }

            states[command.AggregateId] = (state, version);
        }

        return recorded;
    }
}
