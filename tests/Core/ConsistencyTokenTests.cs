using CsCheck;

namespace KafkaEventSourcing.Core.Tests;

public class ConsistencyTokenTests
{
    [Fact]
    public void Parse_reads_what_ToString_writes() =>
        Gen.Select(Gen.Int[0, int.MaxValue - 1], Gen.Long[0, long.MaxValue]).Sample((partition, offset) =>
        {
            var token = new ConsistencyToken(partition, offset);
            ConsistencyToken read = ConsistencyToken.Parse(token.ToString());
            return read == token && read.Partition == partition && read.Offset == offset;
        });

    [Theory]
    [InlineData("")]
    [InlineData("3")]
    [InlineData("@4")]
    [InlineData("3@")]
    [InlineData("-3@4")]
    [InlineData("3@-4")]
    [InlineData("3@4@5")]
    [InlineData("2147483647@1")]
    public void Parse_anything_else_is_refused(string text) =>
        Should.Throw<InvalidInputException>(() => ConsistencyToken.Parse(text)).Field.ShouldBe("token");

    [Fact]
    public void Default_names_no_position()
    {
        default(ConsistencyToken).IsDefault.ShouldBeTrue();
        default(ConsistencyToken).ToString().ShouldBe("");
        new ConsistencyToken(0, 0).IsDefault.ShouldBeFalse();
        Should.Throw<InvalidOperationException>(() => default(ConsistencyToken).Partition);
    }
}
