using System.Text.RegularExpressions;
using System.Xml.Linq;
using KafkaEventSourcing.EndToEnd.Tests;
using KafkaEventSourcing.Testing;

[assembly: AssemblyFixture(typeof(PackageFeed))]

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>
/// The packages of this repository, made of what is built, in a folder outside of it. Programs below that folder get ours from there and
/// all others as the user's own configuration has it; nothing of ours reaches the folder of packages that the user's programs share. They
/// are made once for all tests, when the first one asks for them. Thread-safe.
/// </summary>
public sealed partial class PackageFeed : IAsyncDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("kes-packages-").FullName;
    private readonly Lazy<Task> _made;

    public PackageFeed() => _made = new Lazy<Task>(() => Task.Run(Make));

    /// <summary>Completes when the packages are there.</summary>
    public Task Made => _made.Value;

    public string Packages => Path.Combine(_root, "feed");

    /// <summary>Where restores put what comes from <see cref="Packages"/>.</summary>
    public string Restored => Path.Combine(_root, "restored");

    private Dictionary<string, string> Environment => new() { ["NUGET_PACKAGES"] = Restored, ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1" };

    /// <summary>A new folder that restores from this feed.</summary>
    public string NewFolder(string name) => Directory.CreateDirectory(Path.Combine(_root, name)).FullName;

    /// <summary>Runs <c>dotnet</c> on something below a folder of this feed; it must end well.</summary>
    public async Task<ProgramRun> Dotnet(CancellationToken cancellation, params string[] arguments)
    {
        await Made.WaitAsync(cancellation);
        return await Succeed(Environment, cancellation, arguments);
    }

    public async ValueTask DisposeAsync()
    {
        if (_made.IsValueCreated)
            await Made.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Directory.Delete(_root, recursive: true);
    }

    // Whoever asks first may be cancelled, and the others need them still.
    private async Task Make()
    {
        CancellationToken cancellation = CancellationToken.None;
        await Succeed(null, cancellation, "pack", Path.Combine(Programs.Root, "KafkaEventSourcing.sln"), "-c", "Release", "--no-build",
            "-o", Packages);

        string shared = SharedFolder()
            .Match((await Succeed(null, cancellation, "nuget", "locals", "global-packages", "--list")).Output).Groups[1].Value.Trim();
        string[] sources = [.. Source().Matches(
            (await Succeed(null, cancellation, "nuget", "list", "source", "--format", "detailed")).Output).Select(m => m.Groups[1].Value)];
        // Packages of ours that somebody has restored there, under the same version, would win over those of this feed.
        bool hasOurs = Directory.Exists(shared) && Directory.EnumerateDirectories(shared, "kafkaeventsourcing.*").Any();
        var configuration = new XElement("configuration",
            new XElement("packageSources", Add("these", Packages)),
            hasOurs ? null : new XElement("fallbackPackageFolders", Add("shared", shared)),
            new XElement("packageSourceMapping",
                new XElement("packageSource", new XAttribute("key", "these"), Pattern("KafkaEventSourcing.*")),
                sources.Select(s => new XElement("packageSource", new XAttribute("key", s), Pattern("*")))));
        await File.WriteAllTextAsync(Path.Combine(_root, "nuget.config"), configuration.ToString(), cancellation);
    }

    private static async Task<ProgramRun> Succeed(
        Dictionary<string, string>? environment, CancellationToken cancellation, params string[] arguments)
    {
        ProgramRun run = await ProgramRun.FinishAsync("dotnet", arguments, environment, cancellation);
        run.ExitCode.ShouldBe(0, $"dotnet {string.Join(' ', arguments)}{System.Environment.NewLine}{run.Output}");
        return run;
    }

    private static XElement Add(string key, string value) => new("add", new XAttribute("key", key), new XAttribute("value", value));

    private static XElement Pattern(string pattern) => new("package", new XAttribute("pattern", pattern));

    [GeneratedRegex(@"global-packages: (.+)")]
    private static partial Regex SharedFolder();

    [GeneratedRegex(@"^ +\d+\. +(.+) \[Enabled\]", RegexOptions.Multiline)]
    private static partial Regex Source();
}
