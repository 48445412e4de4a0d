using Banking.Domain;
using Banking.ReadModels;

namespace Banking.Streams;

/// <summary>What a month's turnover is added up by: <c>household/debit/CZK</c>.</summary>
internal readonly record struct TurnoverKey(string Category, string Direction, string Currency)
{
    public const string Credit = BankReadModels.Credit;
    public const string Debit = BankReadModels.Debit;

    /// <summary>The key of a movement.</summary>
    public static string Of(Category category, string direction, string currency) => $"{Names.Of(category)}/{direction}/{currency}";

    /// <summary>What <see cref="Of"/> was given.</summary>
    public static TurnoverKey Parse(string key) =>
        key.Split('/') is [var category, var direction, var currency] ? new(category, direction, currency)
        : throw new FormatException($"'{key}' is not a category, a direction and a currency.");
}
