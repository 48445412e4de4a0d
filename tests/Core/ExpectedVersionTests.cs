namespace KafkaEventSourcing.Core.Tests;

public class ExpectedVersionTests
{
    [Theory]
    [InlineData("any", 0, true)]
    [InlineData("any", 7, true)]
    [InlineData("new", 0, true)]
    [InlineData("new", 1, false)]
    [InlineData("0", 0, true)]
    [InlineData("0", 1, false)]
    [InlineData("exists", 0, false)]
    [InlineData("exists", 1, true)]
    [InlineData("3", 3, true)]
    [InlineData("3", 2, false)]
    [InlineData("3", 4, false)]
    public void IsMetBy_version_holds_or_not(string text, long version, bool expected) =>
        ExpectedVersion.Parse(text).IsMetBy(version).ShouldBe(expected);

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData(" 1")]
    [InlineData("1.0")]
    [InlineData("Any")]
    [InlineData("9223372036854775808")]
    public void Parse_anything_else_is_refused(string text) =>
        Should.Throw<InvalidInputException>(() => ExpectedVersion.Parse(text)).Field.ShouldBe("expectedVersion");

    [Theory]
    [InlineData("any")]
    [InlineData("new")]
    [InlineData("exists")]
    [InlineData("42")]
    public void ToString_gives_what_Parse_reads(string text) => ExpectedVersion.Parse(text).ToString().ShouldBe(text);

    [Fact]
    public void Exactly_negative_is_refused() => Should.Throw<InvalidInputException>(() => ExpectedVersion.Exactly(-1));

    [Fact]
    public void Default_expects_nothing_and_is_refused()
    {
        default(ExpectedVersion).IsDefault.ShouldBeTrue();
        Should.Throw<InvalidOperationException>(() => default(ExpectedVersion).IsMetBy(0));
    }
}
