using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace KafkaEventSourcing.Processing;

/// <summary>Which process is told the outcome of a command, and what it calls the command.</summary>
internal sealed record ReplyTarget(string Process, string Step, AggregateId Id)
{
    public static bool TryParse(byte[] value, [NotNullWhen(true)] out ReplyTarget? address)
    {
        address = null;
        string[] parts = Encoding.UTF8.GetString(value).Split('/', 3);
        if (parts.Length != 3 || parts[0].Length == 0 || parts[1].Length == 0 || !AggregateId.TryParse(parts[2], out AggregateId id, out _))
            return false;
        address = new ReplyTarget(parts[0], parts[1], id);
        return true;
    }

    public byte[] ToBytes() => Encoding.UTF8.GetBytes($"{Process}/{Step}/{Id}");
}
