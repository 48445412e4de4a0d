namespace KafkaEventSourcing.Core.Tests;

public sealed class IdentifierFormTests
{
    [Theory]
    [InlineData("e\u0301", "U+0301")]
    [InlineData("\u212bngstr\u00f6m", "U+212B")]
    [InlineData("\u1112\u1161\u11ab", "U+1112")]
    [InlineData("a\u200bb", "U+200B")]
    [InlineData("a\u202eb", "U+202E")]
    [InlineData("\ufeffa", "U+FEFF")]
    [InlineData("a\u00adb", "U+00AD")]
    [InlineData("a\ufe0f", "U+FE0F")]
    [InlineData("a\u3164", "U+3164")]
    [InlineData("a\u00a0b", "U+00A0")]
    [InlineData("a ", "U+0020")]
    [InlineData(" a", "U+0020")]
    [InlineData("a\u2028b", "U+2028")]
    [InlineData("a\U000E0041", "U+E0041")]
    public void Character_by_which_two_ids_look_alike_is_named(string id, string named) =>
        IdentifierForm.WhatLooksAlike(id)!.ShouldContain(named);

    [Theory]
    [InlineData("account 17/b")]
    [InlineData("\u00e9\U0001F600")]
    [InlineData("한국")]
    [InlineData("नमस्ते")]
    [InlineData("ภาษาไทย")]
    [InlineData("Ωμέγα")]
    public void Id_that_can_be_told_from_others_is_taken(string id) => IdentifierForm.WhatLooksAlike(id).ShouldBeNull();

    // What is in a log already must still be read.
    [Fact]
    public void Id_that_looks_like_another_one_is_read_from_a_log() => AggregateId.TryParse("e\u0301", out _, out _).ShouldBeTrue();
}
