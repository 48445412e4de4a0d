using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace KafkaEventSourcing.Projections;

/// <summary>A partition of the events that a read model is folded from.</summary>
/// <param name="Aggregate">The aggregate type; null when the read model is folded from the events of one type only.</param>
/// <param name="Partition">The partition of its events topic.</param>
public readonly record struct EventPartition(string? Aggregate, int Partition)
{
    /// <summary>As people say it.</summary>
    internal string Words => Aggregate is null ? Number : $"{Number} of {Aggregate}";

    private string Number => Partition.ToString(CultureInfo.InvariantCulture);

    /// <summary>The partition of a read model of one aggregate type.</summary>
    public static implicit operator EventPartition(int partition) => FromInt32(partition);

    /// <summary>The partition of a read model of one aggregate type.</summary>
    public static EventPartition FromInt32(int partition) => new(null, partition);

    /// <summary>Reads the text form.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out EventPartition partition)
    {
        partition = default;
        int slash = text?.LastIndexOf('/') ?? -1;
        if (slash == 0 || !int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            return false;
        partition = new EventPartition(slash < 0 ? null : text![..slash], number);
        return true;
    }

    /// <summary>The text form: <c>0</c>, or <c>account/0</c>.</summary>
    public override string ToString() => Aggregate is null ? Number : $"{Aggregate}/{Number}";
}
