namespace KafkaEventSourcing.Chaos;

/// <summary>How this very program is started again as a child process.</summary>
internal static class SelfExecutable
{
    /// <summary>Program and first arguments.</summary>
    public static IReadOnlyList<string> Command { get; } = Find();

    private static string[] Find()
    {
        string assembly = typeof(SelfExecutable).Assembly.Location;
        string process = Environment.ProcessPath ?? "dotnet";
        // Under a test runner the process is another program; its runtime starts this one as well.
        return Path.GetFileNameWithoutExtension(process) == "kes-chaos"
            ? [process]
            : [Path.GetFileNameWithoutExtension(process) == "dotnet" ? process : "dotnet", assembly];
    }
}
