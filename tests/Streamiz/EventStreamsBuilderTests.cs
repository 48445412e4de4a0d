using Banking.Domain;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class EventStreamsBuilderTests
{
    [Theory]
    [InlineData("")]
    [InlineData("Bank")]
    [InlineData("bank.streams")]
    [InlineData("bank_streams")]
    [InlineData("../bank")]
    [InlineData("1bank")]
    public void Define_with_a_name_that_is_none_of_a_group_a_folder_and_a_topic_is_refused(string name) =>
        Should.Throw<InvalidInputException>(() => EventStreams.Define(name)).Message.ShouldContain($"'{name}'");

    [Fact]
    public void Build_without_a_source_is_refused() =>
        Should.Throw<InvalidOperationException>(() => EventStreams.Define("bank-streams").Build()).Message.ShouldContain("read nothing");

    [Fact]
    public void From_with_an_aggregate_type_twice_is_refused() =>
        Should.Throw<InvalidOperationException>(() => EventStreams.Define("bank-streams").From(Account.Definition).From(Account.Definition))
            .Message.ShouldContain("'account'");
}
