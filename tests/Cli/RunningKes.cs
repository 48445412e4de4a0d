using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Cli.Tests;

/// <summary>One <c>kes up</c> for all tests of a class.</summary>
public sealed partial class RunningKes : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-cli-").FullName;
    private ProgramRun? _servers;

    public string Kafka { get; private set; } = "";

    public string Registry { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        _servers = ProgramRun.Start("dotnet", [Path.Combine(AppContext.BaseDirectory, "kes.dll"), "up", "--kafka-port", "0",
            "--registry-port", "0", "--mongodb-port", "0", "--data",
            Path.Combine(_folder, "data")]);
        Kafka = (await _servers.WaitForLineAsync(KafkaLine(), CancellationToken.None)).Groups[1].Value;
        Registry = (await _servers.WaitForLineAsync(RegistryLine(), CancellationToken.None)).Groups[1].Value;
    }

    public async ValueTask DisposeAsync()
    {
        await _servers!.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [GeneratedRegex(@"Kafka\D*((?:127\.0\.0\.1|localhost):\d+)")]
    internal static partial Regex KafkaLine();

    [GeneratedRegex(@"(http://\S+:\d+)")]
    internal static partial Regex RegistryLine();
}
