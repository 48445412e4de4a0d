namespace KafkaEventSourcing.Archive.Tests;

public sealed class ArchiveFileNamesTests
{
    [Theory]
    [InlineData("manifest/partition=3/00000000000000000000.json")]
    [InlineData("types/event_type=Bank.Account.Opened_1/date=2026-11-30/a-b.parquet")]
    [InlineData("...")]
    public void Check_a_name_that_every_place_can_have_is_it(string name) => ArchiveFileNames.Check(name).ShouldBe(name);

    [Theory]
    [InlineData("../other")]
    [InlineData("a/../b")]
    [InlineData("./a")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("a\\b")]
    [InlineData("a b")]
    [InlineData("a:b")]
    [InlineData("ä")]
    [InlineData("")]
    public void Check_a_name_that_some_place_cannot_have_or_that_leaves_the_place_is_refused(string name) =>
        Should.Throw<ArgumentException>(() => ArchiveFileNames.Check(name));

    [Fact]
    public void Check_a_name_that_is_too_long_is_refused()
    {
        Should.Throw<ArgumentException>(() => ArchiveFileNames.Check(string.Join('/', Enumerable.Repeat("abcdefg", 100))));
        Should.Throw<ArgumentException>(() => ArchiveFileNames.Check(new string('a', 201)));
    }
}
