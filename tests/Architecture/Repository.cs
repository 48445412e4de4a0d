using System.Runtime.CompilerServices;

namespace KafkaEventSourcing.Architecture.Tests;

/// <summary>The repository's files.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>Files below <paramref name="folder"/>, by path from the root with forward slashes; build output is left out.</summary>
    public static IReadOnlyList<string> Files(string folder, string pattern) =>
    [
        .. Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/'))
            .Where(f => !f.Split('/').Any(part => part is "bin" or "obj"))
            .Order(StringComparer.Ordinal),
    ];

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static string Find([CallerFilePath] string here = "")
    {
        string? folder = Path.GetDirectoryName(here);
        while (folder is not null && !File.Exists(Path.Combine(folder, "KafkaEventSourcing.sln")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException($"There is no KafkaEventSourcing.sln above {here}.");
    }
}
