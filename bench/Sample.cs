using System.Globalization;

namespace KafkaEventSourcing.Bench;

/// <summary>Figures of several runs of one thing.</summary>
internal sealed class Sample(string name, string unit)
{
    private readonly List<double> _figures = [];

    public double Median => Sorted[_figures.Count / 2];

    private List<double> Sorted => [.. _figures.Order()];

    public void Add(double figure) => _figures.Add(figure);

    /// <summary>Prints the median with its range, and the ratio to <paramref name="reference"/>.</summary>
    public void Print(Sample? reference = null, string than = "")
    {
        string ratio = reference is null
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $"  = {Median / reference.Median:0.00} × {than}");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name,-44} {Median,12:N0} {unit,-10} ({Sorted[0]:N0} … {Sorted[^1]:N0}){ratio}"));
    }
}
