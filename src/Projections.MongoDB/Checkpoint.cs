using System.Globalization;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>How far one projection is in one event partition, as stored.</summary>
internal sealed class Checkpoint
{
    public required string Id { get; init; }

    public required string Projection { get; init; }

    public required int Partition { get; init; }

    public required long NextOffset { get; init; }

    public static string IdOf(string projection, int partition) => string.Create(CultureInfo.InvariantCulture, $"{projection}/{partition}");
}
