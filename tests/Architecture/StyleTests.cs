namespace KafkaEventSourcing.Architecture.Tests;

/// <summary>The house style, as far as a program can check it; and that each rule finds what it is for.</summary>
public sealed class StyleTests
{
    private static readonly string[] CodeFolders = ["src", "tests", "bench", "samples", "templates"];

    private static IEnumerable<(string Path, string Text)> Code => CodeFolders
        .SelectMany(f => Repository.Files(f, "*.cs"))
        .Select(path => (path, Repository.Read(path)));

    // The rules and their tests quote what they forbid.
    private static IEnumerable<(string Path, string Text)> Worded =>
        Code.Where(f => !f.Path.StartsWith("tests/Architecture/Style", StringComparison.Ordinal));

    // Not CONTRIBUTING.md, which quotes what it forbids.
    private static IEnumerable<(string Path, string Text)> Documents =>
    [
        .. Repository.Files("docs", "*.md").Concat(["README.md", "CHANGELOG.md"]).Select(path => (path, Repository.Read(path))),
    ];

    [Fact]
    public void Lines_of_code_fit_on_a_screen() => Code.SelectMany(f => StyleRules.Columns(f.Path, f.Text)).ShouldBeEmpty();

    [Fact]
    public void Types_hold_one_idea() => StyleRules.Lengths(Code).ShouldBeEmpty();

    [Fact]
    public void Types_have_the_names_of_the_field() => Worded.SelectMany(f => StyleRules.Names(f.Path, f.Text)).ShouldBeEmpty();

    [Fact]
    public void Comments_messages_and_documents_are_plain_English() => Worded.Concat(Documents)
        .SelectMany(f => StyleRules.Phrases(f.Path, f.Text))
        .ShouldBeEmpty();

    [Fact]
    public void Asynchronous_methods_of_the_public_surface_say_so() => Repository.Files("src", "PublicAPI.*.txt")
        .SelectMany(path => StyleRules.Asynchronous(path, Repository.Read(path)))
        .ShouldBeEmpty();

    [Fact]
    public void Every_pinned_version_is_used() => StyleRules
        .UnusedPins(
            Repository.Read("Directory.Packages.props"),
            CodeFolders.SelectMany(f => Repository.Files(f, "*.csproj")).Concat(["Directory.Build.props"]).Select(Repository.Read),
            CodeFolders.SelectMany(f => Repository.Files(f, "packages.lock.json")).Select(Repository.Read))
        .ShouldBeEmpty();

    [Fact]
    public void Columns_finds_a_wide_line_but_not_in_a_raw_string()
    {
        string wide = new('x', StyleRules.MaxColumns + 1);
        StyleRules.Columns("a.cs", $"short\n{wide}\n").ShouldBe(["a.cs:2 has 141 columns, more than 140."]);
        StyleRules.Columns("a.cs", $"\"\"\"\n{wide}\n\"\"\";\n{wide}").ShouldBe(["a.cs:4 has 141 columns, more than 140."]);
        StyleRules.Columns("a.cs", wide[1..]).ShouldBeEmpty();
    }

    [Fact]
    public void Lengths_sums_the_files_of_a_partial_class()
    {
        string lines = string.Concat(Enumerable.Repeat("\n", 201));
        StyleRules.Lengths([("src/A.cs", lines), ("src/A.More.cs", lines), ("src/B.cs", lines), ("tests/A.cs", lines)])
            .ShouldBe(["src/A has 402 lines in 2 files, more than 400."]);
    }

    [Theory]
    [InlineData("internal sealed class TwoDoors : ICommandClient", "a.cs:1 declares TwoDoors; the field's name is CommandRouter.")]
    [InlineData("public readonly record struct Purse(int Amount);", "a.cs:1 declares Purse; the field's name is Wallet.")]
    [InlineData("// TwoDoors was its name")]
    [InlineData("internal sealed class CommandRouter")]
    public void Names_finds_a_declaration(string line, params string[] faults) => StyleRules.Names("a.cs", line).ShouldBe(faults);

    [Theory]
    [InlineData("The event stands in the log.", "stands in")]
    [InlineData("A record that tells of it", "tells of")]
    [InlineData("it has not the topics", "has not the")]
    [InlineData("The file is no declaration.", "is no declaration")]
    [InlineData("it is no longer read; it has not been read; there is no reader, it is not a reader")]
    public void Phrases_finds_what_reads_as_translated(string line, params string[] phrases) =>
        StyleRules.Phrases("a.md", line).ShouldBe(phrases.Select(p => $"a.md:1 says '{p}'; see the words in CONTRIBUTING.md."));

    [Theory]
    [InlineData("N.Client.Send(N.Command! command) -> System.Threading.Tasks.Task<N.Result!>!", "Send")]
    [InlineData("N.Client.Send<T>(T! command) -> System.Threading.Tasks.ValueTask", "Send")]
    [InlineData("N.Client.SendAsync<T>(T! command) -> System.Threading.Tasks.Task<N.Result!>!")]
    [InlineData("N.Client.Completion.get -> System.Threading.Tasks.Task!")]
    [InlineData("N.Client.On(System.Func<System.Threading.Tasks.Task!>! handle) -> N.Client!")]
    public void Asynchronous_finds_a_task_without_the_suffix(string line, params string[] methods) =>
        StyleRules.Asynchronous("a.txt", line).ShouldBe(
            methods.Select(m => $"a.txt: {m} returns a task, and its name does not end in Async."));

    [Fact]
    public void UnusedPins_finds_a_version_that_nothing_asks_for()
    {
        const string versions =
            """<P><I><PackageVersion Include="A" Version="1" /><PackageVersion Include="B" Version="1" /><PackageVersion Include="C" Version="1" /></I></P>""";
        const string project = """<P><I><PackageReference Include="A" /></I></P>""";
        const string locked = """{"dependencies":{"net10.0":{"b":{"type":"Transitive"}}}}""";
        StyleRules.UnusedPins(versions, [project], [locked]).ShouldBe(["Directory.Packages.props pins C, which nothing uses."]);
    }
}
