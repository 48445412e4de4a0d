using System.Globalization;

namespace Banking;

/// <summary>Money for people.</summary>
internal static class Money
{
    /// <summary>Minor units as an amount with two decimals.</summary>
    public static string Format(long minorUnits) => (minorUnits / 100m).ToString("N2", CultureInfo.InvariantCulture);
}
