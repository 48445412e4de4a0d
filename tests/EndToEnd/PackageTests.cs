using System.IO.Compression;
using System.Xml.Linq;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>What users install: the packages by themselves, the tool, and the template.</summary>
public sealed class PackageTests(PackageFeed feed) : IAsyncLifetime
{
    // What each library is installed with; nothing else may be packed, so that no test or generator is published by mistake.
    private static readonly string[] Names =
    [
        "KafkaEventSourcing.Archive", "KafkaEventSourcing.Archive.Azure", "KafkaEventSourcing.Archive.S3",
        "KafkaEventSourcing.Avro", "KafkaEventSourcing.Chaos", "KafkaEventSourcing.Cli",
        "KafkaEventSourcing.Core", "KafkaEventSourcing.Embedded.Kafka", "KafkaEventSourcing.Embedded.MongoDB",
        "KafkaEventSourcing.Embedded.SchemaRegistry", "KafkaEventSourcing.EventLog", "KafkaEventSourcing.Hosting",
        "KafkaEventSourcing.Hosting.AspNetCore",
        "KafkaEventSourcing.Hosting.CommandLine", "KafkaEventSourcing.Hosting.Embedded",
        "KafkaEventSourcing.Processing", "KafkaEventSourcing.Projections", "KafkaEventSourcing.Projections.MongoDB",
        "KafkaEventSourcing.Streamiz", "KafkaEventSourcing.Subscriptions", "KafkaEventSourcing.Templates",
        "KafkaEventSourcing.Testing", "KafkaEventSourcing.Testing.Servers",
    ];

    public async ValueTask InitializeAsync() => await feed.Made;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public void Packages_have_a_readme_a_license_a_description_and_tags()
    {
        string[] packages = [.. Directory.GetFiles(feed.Packages, "*.nupkg").Order(StringComparer.Ordinal)];
        packages.Select(p => NuspecOf(p)["id"]).ShouldBe(Names, ignoreOrder: true);
        foreach (string package in packages)
        {
            Dictionary<string, string> nuspec = NuspecOf(package);
            nuspec["license"].ShouldBe("MIT", package);
            nuspec["description"].ShouldNotBe("Package Description", package);
            nuspec["tags"].ShouldNotBeEmpty(package);
            EntriesOf(package).ShouldContain(nuspec["readme"], package);
        }
    }

    [Fact]
    public void Libraries_have_symbols_and_the_generators_are_inside()
    {
        foreach (string library in Names.Where(n => n != "KafkaEventSourcing.Templates"))
            Directory.GetFiles(feed.Packages, $"{library}.*.snupkg").ShouldNotBeEmpty(library);
        EntriesOf(PackageOf("KafkaEventSourcing.Avro")).ShouldContain("analyzers/dotnet/cs/KafkaEventSourcing.Avro.Generator.dll");
    }

    // A web server that no use of theirs needs would be in every worker and every test.
    [Fact]
    public void Packages_without_an_http_interface_do_not_ask_for_aspnet() =>
        Names.Where(n => n != "KafkaEventSourcing.Templates")
            .Where(n => NuspecDocument(PackageOf(n)).Descendants().Any(e =>
                e.Name.LocalName == "frameworkReference" && e.Attribute("name")?.Value == "Microsoft.AspNetCore.App"))
            .ShouldBe(
            [
                "KafkaEventSourcing.Chaos", "KafkaEventSourcing.Cli", "KafkaEventSourcing.Embedded.SchemaRegistry",
                "KafkaEventSourcing.Hosting.AspNetCore",
                "KafkaEventSourcing.Hosting.CommandLine", "KafkaEventSourcing.Hosting.Embedded",
            ]);

    [Fact]
    public void Core_brings_nothing_with_it() =>
        NuspecDocument(PackageOf("KafkaEventSourcing.Core")).Descendants().Where(e =>
            e.Name.LocalName is "dependency" or "frameworkReference").ShouldBeEmpty();

    [Theory]
    [InlineData("KafkaEventSourcing.Cli", "kes")]
    [InlineData("KafkaEventSourcing.Chaos", "kes-chaos")]
    public async Task Tool_is_installed_and_tells_its_version(string package, string tool)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        string folder = feed.NewFolder($"tool-{tool}");
        string configuration = Path.Combine(Path.GetDirectoryName(folder)!, "nuget.config");
        await feed.Dotnet(cancellation, "tool", "install", package, "--tool-path", folder, "--configfile", configuration);
        ProgramRun version = await ProgramRun.FinishAsync(Path.Combine(folder, tool), ["--version"], null, cancellation);
        version.ExitCode.ShouldBe(0, version.Output);
        version.Output.ShouldContain(NuspecOf(PackageOf(package))["version"]);
    }

    // The second name is the harder one: it is not one of C#, and what is made under it is built.
    [Fact]
    public async Task Template_makes_an_application_that_builds_and_passes_its_tests()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        string folder = feed.NewFolder("template");
        string[] hive = ["--debug:custom-hive", Path.Combine(folder, "hive")];
        await feed.Dotnet(cancellation, ["new", "install", PackageOf("KafkaEventSourcing.Templates"), .. hive]);
        foreach ((string name, string application, string space) in ((string, string, string)[])[("Shop", "shop", "Shop"),
            ("My-2.Shop", "my-2-shop", "My_2.Shop")])
        {
            await feed.Dotnet(cancellation, ["new", "kes-app", "-n", name, "-o", Path.Combine(folder, name), .. hive]);
            string program = Path.Combine(folder, name, "src", name);
            (await File.ReadAllTextAsync(Path.Combine(program, "Program.cs"), cancellation)).ShouldContain($"Named(\"{application}\"");
            (await File.ReadAllTextAsync(Path.Combine(program, "Basket.cs"), cancellation)).ShouldContain($"namespace {space};");
        }

        await feed.Dotnet(cancellation, "build", "-c", "Release", Path.Combine(folder, "My-2.Shop"));
        string tests = Path.Combine(folder, "My-2.Shop", "tests", "My-2.Shop.Tests", "bin", "Release", "net10.0", "My-2.Shop.Tests.dll");
        (await feed.Dotnet(cancellation, tests)).Output.ShouldContain("succeeded: 4");
    }

    private string PackageOf(string id) => Path.Combine(feed.Packages, $"{id}.{VersionOf(id)}.nupkg");

    private string VersionOf(string id) =>
        Directory.GetFiles(feed.Packages, $"{id}.*.nupkg").Select(NuspecOf).Single(n => n["id"] == id)["version"];

    private static List<string> EntriesOf(string package)
    {
        using ZipArchive archive = ZipFile.OpenRead(package);
        return [.. archive.Entries.Select(e => e.FullName)];
    }

    private static XDocument NuspecDocument(string package)
    {
        using ZipArchive archive = ZipFile.OpenRead(package);
        using Stream nuspec = archive.Entries.Single(e => e.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        return XDocument.Load(nuspec);
    }

    private static Dictionary<string, string> NuspecOf(string package) =>
        NuspecDocument(package).Root!.Elements().Single().Elements().Where(e => !e.HasElements).ToDictionary(e => e.Name.LocalName,
            e => e.Value);
}
