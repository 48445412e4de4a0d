using System.Globalization;

namespace KafkaEventSourcing.Chaos.Faults;

/// <summary>One fault of a plan.</summary>
/// <param name="At">When it begins, from the beginning of the run.</param>
/// <param name="Kind">What is done.</param>
/// <param name="Node">To which node, from 0; -1: to the servers; below: to a process of the event streams.</param>
/// <param name="Lasts">How long it lasts: a killed process is started again after it.</param>
/// <param name="Amount">How much, where a kind has a measure: the delay, or by how much the clock is wrong.</param>
internal sealed record Fault(TimeSpan At, FaultKind Kind, int Node, TimeSpan Lasts, TimeSpan Amount)
{
    public const int Servers = -1;

    /// <summary>Which process of the event streams, from 0; negative: none.</summary>
    public int Streams => Servers - 1 - Node;

    public TimeSpan Ends => At + Lasts;

    /// <summary>The <see cref="Node"/> of the process <paramref name="number"/> of the event streams, from 0.</summary>
    public static int OfStreams(int number) => Servers - 1 - number;

    /// <summary>The name of a kind on the command line and in tables.</summary>
    public static string NameOf(FaultKind kind) => System.Text.Json.JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString());

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{At.TotalSeconds,7:0.000} s  {NameOf(Kind),-14} {Place,-8} "
            + $"for {Lasts.TotalSeconds:0.000} s{Measure}");

    private string Place => Streams >= 0 ? $"streams-{Streams + 1}" : Node == Servers ? "servers" : $"node-{Node + 1}";

    private string Measure => Kind switch
    {
        FaultKind.DelayKafka or FaultKind.DelayStreams =>
            string.Create(CultureInfo.InvariantCulture, $", by {Amount.TotalMilliseconds:0} ms"),
        FaultKind.JumpClock => string.Create(CultureInfo.InvariantCulture, $", to {Amount.TotalSeconds:+0;-0} s"),
        _ => "",
    };
}
