using System.Xml.Linq;

namespace KafkaEventSourcing.Architecture.Tests;

public sealed class ReferenceTests
{
    private static readonly string[] Servers = ["Embedded.Kafka", "Embedded.SchemaRegistry", "Embedded.MongoDB"];

    private static readonly string[] Engine = ["Core", "Avro", "EventLog", "Archive", "Processing", "Subscriptions", "Projections",
        "Projections.MongoDB"];

    // What each project of src/ may reference, directly or through others.
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Core"] = [],
        ["Avro"] = ["Core"],
        ["Avro.Generator"] = [],
        ["EventLog"] = ["Core", "Avro"],
        ["Processing"] = ["Core", "Avro", "EventLog"],
        ["Subscriptions"] = ["Core", "Avro", "EventLog"],
        ["Projections"] = ["Core", "Avro", "EventLog"],
        ["Projections.MongoDB"] = ["Core", "Avro", "EventLog", "Projections"],
        ["Archive"] = ["Core", "Avro", "EventLog"],
        ["Archive.Azure"] = ["Core", "Avro", "EventLog", "Archive"],
        ["Archive.S3"] = ["Core", "Avro", "EventLog", "Archive"],
        ["Streamiz"] = ["Core", "Avro", "EventLog"],
        ["Hosting"] = [.. Engine],
        ["Hosting.AspNetCore"] = [.. Engine, "Hosting"],
        ["Hosting.CommandLine"] = [.. Engine, "Hosting", "Hosting.AspNetCore"],
        ["Hosting.Embedded"] = [.. Engine, "Hosting", .. Servers],
        ["Testing"] = ["Core"],
        ["Testing.Servers"] = [.. Engine, "Hosting", "Hosting.Embedded", "Testing", .. Servers],
        ["Cli"] = [.. Engine, "Archive.Azure", "Archive.S3", "Hosting", "Hosting.AspNetCore", "Hosting.CommandLine",
            "Hosting.Embedded", .. Servers],
        ["Chaos"] = [.. Engine, "Streamiz", "Hosting", "Hosting.AspNetCore", "Hosting.CommandLine", "Hosting.Embedded", "Testing",
            "Testing.Servers", .. Servers],
        ["Embedded.Kafka"] = [],
        ["Embedded.Kafka.Generator"] = [],
        ["Embedded.SchemaRegistry"] = [],
        ["Embedded.MongoDB"] = [],
    };

    private static IReadOnlyList<string> Projects { get; } = Repository.Files("src", "*.csproj");

    [Fact]
    public void Projects_of_src_reference_only_what_the_design_allows()
    {
        Dictionary<string, string[]> direct = Projects.ToDictionary(NameOf, ReferencesOf);
        direct.Keys.Order(StringComparer.Ordinal).ShouldBe(Allowed.Keys.Order(StringComparer.Ordinal));
        foreach (string project in direct.Keys)
        {
            string[] forbidden = [.. Closure(project, direct).Except(Allowed[project])];
            forbidden.ShouldBeEmpty($"{project} references {string.Join(", ", forbidden)}");
        }
    }

    [Fact]
    public void Code_outside_the_hosts_does_not_know_the_embedded_servers()
    {
        string[] hosts = ["src/embedded/", "src/Hosting.Embedded/", "src/Testing.Servers/", "src/Cli/", "src/Chaos/"];
        string[] knowing = [.. Repository.Files("src", "*.cs").Where(f =>
            !hosts.Any(h => f.StartsWith(h, StringComparison.Ordinal))
                && Repository.Read(f).Contains("KafkaEventSourcing.Embedded", StringComparison.Ordinal))];
        knowing.ShouldBeEmpty();
    }

    [Fact]
    public void Solution_has_every_project()
    {
        string solution = Repository.Read("KafkaEventSourcing.sln").Replace('\\', '/');
        string[] all = [.. new[] { "src", "tests", "samples", "bench" }.SelectMany(f => Repository.Files(f, "*.csproj"))];
        all.Where(p => !solution.Contains($"\"{p}\"", StringComparison.Ordinal)).ShouldBeEmpty();
        all.Length.ShouldBeGreaterThan(30);
    }

    [Fact]
    public void Package_versions_are_in_one_place()
    {
        foreach (string project in new[] { "src", "tests", "samples", "bench" }.SelectMany(f => Repository.Files(f, "*.csproj")))
        {
            XDocument document = XDocument.Parse(Repository.Read(project));
            document.Descendants("PackageReference").Where(p =>
                p.Attribute("Version") is not null || p.Attribute("VersionOverride") is not null)
                .Select(p => $"{project}: {p.Attribute("Include")?.Value}").ShouldBeEmpty();
        }
    }

    [Fact]
    public void Every_project_has_a_lock_file()
    {
        foreach (string project in new[] { "src", "tests", "samples", "bench" }.SelectMany(f => Repository.Files(f, "*.csproj")))
            File.Exists(Path.Combine(Repository.Root, Path.GetDirectoryName(project)!, "packages.lock.json")).ShouldBeTrue(project);
    }

    [Fact]
    public void Documents_link_to_files_that_exist()
    {
        foreach (string document in Repository.Files("docs", "*.md").Concat(Repository.Files("src", "*.md")).Concat(
            ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]))
        {
            foreach (System.Text.RegularExpressions.Match link in System.Text.RegularExpressions.Regex.Matches(Repository.Read(document),
                @"\]\((?!https?:|#)([^)#]+)"))
            {
                string target = Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(document)!, link.Groups[1].Value));
                Path.Exists(target).ShouldBeTrue($"{document} links to {link.Groups[1].Value}, which does not exist");
            }
        }
    }

    [Fact]
    public void Documents_link_to_headings_that_exist()
    {
        foreach (string document in Repository.Files("docs", "*.md").Concat(
            ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]))
        {
            foreach (System.Text.RegularExpressions.Match link in System.Text.RegularExpressions.Regex.Matches(Repository.Read(document),
                @"\]\((?!https?:)([^)#]*)#([^)]+)\)"))
            {
                string target = link.Groups[1].Length == 0
                    ? document
                    : Path.Combine(Path.GetDirectoryName(document)!, link.Groups[1].Value);
                HeadingsOf(Repository.Read(target)).ShouldContain(link.Groups[2].Value, $"{document} links to {link.Value[2..^1]}");
            }
        }
    }

    [Fact]
    public void Readme_shows_code_of_the_tutorial_which_is_built_and_run()
    {
        string code = Repository.Read("README.md").Split("```csharp\n")[1].Split("```")[0];
        string tutorial = Repository.Read("docs/tutorial.md");
        foreach (string line in code.Split('\n'))
            tutorial.ShouldContain(line.Trim());
    }

    [Fact]
    public void Libraries_say_what_they_are_and_generators_are_no_packages()
    {
        foreach (string project in Projects)
        {
            XDocument document = XDocument.Parse(Repository.Read(project));
            bool isPackage = document.Descendants("Import").Any(i =>
                i.Attribute("Project")!.Value.EndsWith("eng/Library.targets", StringComparison.Ordinal));
            isPackage.ShouldBe(!project.EndsWith(".Generator.csproj", StringComparison.Ordinal), project);
            if (!isPackage)
                continue;
            document.Descendants("Description").ShouldHaveSingleItem(project).Value.ShouldEndWith(".", Case.Sensitive, project);
            document.Descendants("PackageTags").ShouldHaveSingleItem(project);
            File.Exists(Path.Combine(Repository.Root, Path.GetDirectoryName(project)!, "README.md")).ShouldBeTrue(project);
        }
    }

    // As the usual renderers of Markdown name a heading.
    private static string[] HeadingsOf(string document) =>
    [
        .. document.Split('\n').Where(l => l.StartsWith('#')).Select(l => string.Concat(l.TrimStart('#').Trim().ToLowerInvariant()
            .Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_').Select(c => c == ' ' ? '-' : c))),
    ];

    private static string NameOf(string path) => Path.GetFileNameWithoutExtension(path).Replace("KafkaEventSourcing.", "",
        StringComparison.Ordinal);

    private static string[] ReferencesOf(string project) =>
    [
        .. XDocument.Parse(Repository.Read(project)).Descendants("ProjectReference")
            .Where(r => r.Attribute("OutputItemType")?.Value != "Analyzer")
            .Select(r => NameOf(r.Attribute("Include")!.Value)),
    ];

    private static HashSet<string> Closure(string project, Dictionary<string, string[]> direct)
    {
        var reached = new HashSet<string>();
        var open = new Stack<string>(direct[project]);
        while (open.TryPop(out string? next))
        {
            if (reached.Add(next))
            {
                foreach (string further in direct[next])
                    open.Push(further);
            }
        }

        return reached;
    }
}
