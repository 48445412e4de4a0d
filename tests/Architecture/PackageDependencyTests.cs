using System.Text.Json;
using System.Xml.Linq;

namespace KafkaEventSourcing.Architecture.Tests;

/// <summary>
/// What a package brings of others', directly or by what it references, as its lock file has it: a user must not get a command line, a test
/// library or a beta with a domain or an engine.
/// </summary>
public sealed class PackageDependencyTests
{
    private static readonly string[] Http = ["Hosting.AspNetCore", "Hosting.CommandLine", "Cli", "Chaos"];
    private static readonly string[] CommandLine = ["Hosting.CommandLine", "Cli", "Chaos"];
    private static readonly string[] Containers = ["Testing.Servers", "Chaos"];
    private static readonly string[] Documents = ["Projections.MongoDB", "Hosting", "Hosting.AspNetCore", "Hosting.CommandLine",
        "Hosting.Embedded", "Testing.Servers", "Cli", "Chaos"];
    private static readonly string[] Stores = ["Processing", "Streamiz", "Embedded.MongoDB", .. Documents.Except(["Projections.MongoDB"])];
    private static readonly string[] Web = ["Embedded.SchemaRegistry", "Hosting.Embedded", "Testing.Servers", .. Http];

    // By the beginning of a package's name, who may bring it.
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Spectre."] = CommandLine,
        ["System.CommandLine"] = CommandLine,
        ["Scalar."] = Http,
        ["OpenTelemetry"] = Http,
        ["Microsoft.AspNetCore."] = Http,
        ["Microsoft.OpenApi"] = Http,
        ["Testcontainers"] = Containers,
        ["Docker."] = Containers,
        ["MongoDB.Driver"] = Documents,
        ["AWSSDK."] = ["Archive.S3", "Cli"],
        ["Azure."] = ["Archive.Azure", "Cli"],
        ["Microsoft.Identity."] = ["Archive.Azure", "Cli"],
        ["RocksDB"] = Stores,
        ["Streamiz."] = ["Streamiz", "Chaos"],
        ["Confluent.SchemaRegistry.Serdes"] = [],
    };

    // Others may bring a package of any name but those above; these may bring nothing.
    private static readonly string[] Bare = ["Core", "Testing"];

    private static IReadOnlyList<string> Packages { get; } =
        [.. Repository.Files("src", "*.csproj").Where(p => Repository.Read(p).Contains("eng/Library.targets", StringComparison.Ordinal))];

    public static TheoryData<string> Forbidden { get; } = [.. Allowed.Keys];

    [Theory]
    [MemberData(nameof(Forbidden))]
    public void Package_is_brought_only_by_those_that_use_it(string beginning)
    {
        string[] bringing = [.. Packages.Where(p => BroughtBy(p).Any(b => b.StartsWith(beginning, StringComparison.OrdinalIgnoreCase)))
            .Select(NameOf)];
        bringing.Except(Allowed[beginning]).ShouldBeEmpty($"{beginning} must not come with them");
        Allowed[beginning].Except(bringing).ShouldBeEmpty($"{beginning} does not come with them any more; take them out of the table");
    }

    [Fact]
    public void Domains_and_their_tests_bring_no_package() =>
        Packages.Where(p => Bare.Contains(NameOf(p))).SelectMany(BroughtBy).ShouldBeEmpty();

    [Fact]
    public void Framework_of_aspnet_comes_only_with_what_serves_http() =>
        Packages.Where(IsWeb).Select(NameOf).ShouldBe(Web, ignoreOrder: true);

    [Fact]
    public void Tool_for_operators_references_no_test_code()
    {
        string cli = Packages.Single(p => NameOf(p) == "Cli");
        Closure(cli).Select(NameOf).Where(n => n.StartsWith("Testing", StringComparison.Ordinal)).ShouldBeEmpty();
        Repository.Files("src/Cli", "*.cs").Where(f => Repository.Read(f).Contains("KafkaEventSourcing.Testing", StringComparison.Ordinal))
            .ShouldBeEmpty();
    }

    private static string NameOf(string project) =>
        Path.GetFileNameWithoutExtension(project).Replace("KafkaEventSourcing.", "", StringComparison.Ordinal);

    // What is compiled with and not passed on, as analyzers, does not come with the package.
    private static IEnumerable<string> BroughtBy(string project)
    {
        string[] own =
        [
            .. XDocument.Parse(Repository.Read("Directory.Build.props")).Descendants("PackageReference")
                .Concat(XDocument.Parse(Repository.Read("src/Directory.Build.props")).Descendants("PackageReference")).Select(r =>
                    r.Attribute("Include")!.Value),
        ];
        using JsonDocument locked = JsonDocument.Parse(Repository.Read($"{Path.GetDirectoryName(project)}/packages.lock.json"));
        return
        [
            .. locked.RootElement.GetProperty("dependencies").EnumerateObject().SelectMany(framework => framework.Value.EnumerateObject())
                .Where(p => p.Value.GetProperty("type").GetString() != "Project" && !own.Contains(p.Name)).Select(p => p.Name).Distinct(),
        ];
    }

    private static bool IsWeb(string project) =>
        Closure(project).Append(project).Any(p =>
            XDocument.Parse(Repository.Read(p)).Descendants("FrameworkReference").Any(r =>
                r.Attribute("Include")?.Value == "Microsoft.AspNetCore.App"));

    private static IEnumerable<string> Closure(string project)
    {
        var reached = new HashSet<string>();
        var open = new Stack<string>([project]);
        while (open.TryPop(out string? next))
        {
            foreach (XElement reference in XDocument.Parse(Repository.Read(next)).Descendants("ProjectReference").Where(r =>
                r.Attribute("OutputItemType")?.Value != "Analyzer"))
            {
                string referenced = Path.GetRelativePath(Repository.Root,
                    Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(next)!, reference.Attribute("Include")!.Value)));
                if (reached.Add(referenced))
                    open.Push(referenced);
            }
        }

        return reached;
    }
}
