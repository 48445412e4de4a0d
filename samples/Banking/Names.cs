using System.Collections.Frozen;
using System.Text.Json;
using Banking.Domain;

namespace Banking;

/// <summary>How operations and categories read in files and read models: <c>CASH_DEPOSIT</c> as <c>cash-deposit</c>.</summary>
internal static class Names
{
    private static readonly FrozenDictionary<string, Operation> OperationByName = Enum.GetValues<Operation>().ToFrozenDictionary(InFiles);
    private static readonly FrozenDictionary<Operation, string> NameOfOperation = OperationByName.ToFrozenDictionary(p => p.Value,
        p => p.Key);
    private static readonly FrozenDictionary<string, Category> CategoryByName = Enum.GetValues<Category>().ToFrozenDictionary(InFiles);
    private static readonly FrozenDictionary<Category, string> NameOfCategory = CategoryByName.ToFrozenDictionary(p => p.Value, p => p.Key);

    /// <summary>All operations, for messages.</summary>
    public static string Operations { get; } = string.Join(", ", OperationByName.Keys.Order(StringComparer.Ordinal));

    /// <summary>All categories, for messages.</summary>
    public static string Categories { get; } = string.Join(", ", CategoryByName.Keys.Order(StringComparer.Ordinal));

    public static string Of(Operation operation) => NameOfOperation[operation];

    public static string Of(Category category) => NameOfCategory[category];

    public static bool TryParseOperation(string name, out Operation operation) => OperationByName.TryGetValue(name, out operation);

    /// <summary>An empty name is the category <c>NONE</c>.</summary>
    public static bool TryParseCategory(string name, out Category category) =>
        CategoryByName.TryGetValue(name.Length == 0 ? "none" : name, out category);

    private static string InFiles<TEnum>(TEnum value)
        where TEnum : struct, Enum =>
        JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString()).Replace('_', '-').ToLowerInvariant();
}
