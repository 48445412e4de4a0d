namespace KafkaEventSourcing.Core.Tests;

public class IdentifierTests
{
    [Theory]
    [InlineData(null, "The aggregate id is empty.")]
    [InlineData("", "The aggregate id is empty.")]
    [InlineData("a\nb", "The aggregate id has the control character U+000A.")]
    public void Parse_AggregateId_unusable_text_says_why(string? text, string expected) =>
        Should.Throw<InvalidInputException>(() => AggregateId.Parse(text!)).Message.ShouldBe(expected);

    // They have no UTF-8: all of them would be the one id with U+FFFD in it. Written in code, as a compiled attribute cannot hold them.
    [Fact]
    public void Parse_lone_surrogate_is_refused_and_a_pair_is_not()
    {
        foreach (string lone in (string[])["a\ud800", "\ud800b", "\udc00", "\ud800\ud800\udc00"])
            Should.Throw<InvalidInputException>(() => AggregateId.Parse(lone)).Message.ShouldContain("lone surrogate U+D");
        Should.Throw<InvalidInputException>(() => CommandId.Parse("c\udfff")).Message.ShouldBe(
            "The command id has the lone surrogate U+DFFF, which is half a character; it must be valid Unicode.");
        AggregateId.Parse("a\ud83d\ude00b").Value.ShouldBe("a😀b");
    }

    [Fact]
    public void Parse_AggregateId_counts_bytes_not_characters()
    {
        AggregateId.Parse(new string('é', 128)).Value.Length.ShouldBe(128);
        InvalidInputException tooLong = Should.Throw<InvalidInputException>(() => AggregateId.Parse(new string('é', 129)));
        tooLong.Field.ShouldBe("aggregateId");
        tooLong.Message.ShouldBe("The aggregate id has 258 bytes of UTF-8; at most 256 are allowed.");
    }

    [Fact]
    public void Parse_CommandId_too_long_names_the_limit() =>
        Should.Throw<InvalidInputException>(() => CommandId.Parse(new string('x', 129))).Message.ShouldBe(
            "The command id has 129 bytes of UTF-8; at most 128 are allowed.");

    [Fact]
    public void Default_ids_have_no_value()
    {
        default(AggregateId).IsDefault.ShouldBeTrue();
        Should.Throw<InvalidOperationException>(() => default(AggregateId).Value);
        Should.Throw<InvalidOperationException>(() => default(CommandId).Value);
    }

    [Fact]
    public void New_ids_ascend_with_time()
    {
        var time = new SteppingTime();
        string[] ids = [.. Enumerable.Range(0, 100).Select(_ => CommandId.New(time).Value)];
        ids.ShouldBe(ids.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Equality_is_ordinal()
    {
        AggregateId.Parse("a").ShouldBe(AggregateId.Parse("a"));
        (AggregateId.Parse("a") == AggregateId.Parse("A")).ShouldBeFalse();
    }

    private sealed class SteppingTime : TimeProvider
    {
        private long _ticks = DateTimeOffset.UnixEpoch.Ticks;

        public override DateTimeOffset GetUtcNow() => new(_ticks += TimeSpan.TicksPerMillisecond, TimeSpan.Zero);
    }
}
