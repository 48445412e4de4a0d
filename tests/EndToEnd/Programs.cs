using System.Runtime.CompilerServices;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>The built programs, and the repository that they come from.</summary>
internal static class Programs
{
    public static string Root { get; } = Find();

    /// <summary>The bank; the project reference puts it beside these tests.</summary>
    public static string Bank { get; } = Path.Combine(AppContext.BaseDirectory, "Banking.dll");

    public static string Kes { get; } = Path.Combine(AppContext.BaseDirectory, "kes.dll");

    public static string KesChaos { get; } = Path.Combine(AppContext.BaseDirectory, "kes-chaos.dll");

    private static string Find([CallerFilePath] string here = "")
    {
        string? folder = Path.GetDirectoryName(here);
        while (folder is not null && !File.Exists(Path.Combine(folder, "KafkaEventSourcing.sln")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException($"There is no KafkaEventSourcing.sln above {here}.");
    }
}
