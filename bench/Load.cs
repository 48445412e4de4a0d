using Banking.Demo;
using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Bench;

/// <summary>What is measured: seeded movements of the bank.</summary>
internal sealed record Load(int Commands, int Accounts, int InFlight, int Runs, int Rate, int Aggregates, int Gigabytes,
    ServerAddresses Servers)
{
    private const int Seed = 42;

    /// <summary>Whether nodes write no snapshots, as where event streams keep them; the streams run elsewhere, or not at all.</summary>
    public bool WithoutBarriers { get; init; }

    /// <summary>Whether state stores keep the places of events alone.</summary>
    public bool WithoutEvents { get; init; }

    public DemoMovements Movements(int? commands = null) => new(Accounts, commands ?? Commands, Seed);
}
