using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Hosting.Verification;

namespace KafkaEventSourcing.Hosting.Tests.CommandLine;

/// <summary>What <c>schemas check</c> tells people of one schema.</summary>
public sealed class SchemaCheckTextTests
{
    // Another file, such as the exported one, ended the check with a stack trace.
    [Theory]
    [InlineData("Obj")]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("""{"aggregate":"a","id":"1"}""")]
    public void File_of_states_that_is_none_is_wrong_usage_with_its_line(string line) =>
        Should.Throw<InvalidInputException>(() => StateBaseline.Read([line], "a")).Message.ShouldStartWith(
            "Line 1 of the states before is not one that 'schemas check --save' wrote: ");

    [Theory]
    [InlineData("Bank.Opened", true, "as it is")]
    [InlineData("Bank.Opened", false, "converted")]
    [InlineData("Bank.Registered", false, "read as Bank.Registered")]
    // A type that was only renamed, its bytes the same, was told "as it is".
    [InlineData("Bank.Registered", true, "read as Bank.Registered")]
    [InlineData(null, false, "folded anew")] // a snapshot of event streams
    public void Schema_is_told_with_how_its_records_are_read(string? readAs, bool sameBytes, string how)
    {
        var use = new SchemaUse("bank.account.events", new SchemaReading("7", "Bank.Opened", readAs, sameBytes, [], []));
        use.Add();
        var told = new StringWriter();

        SchemaCheckText.Write(new SchemaCheckReport([use], [], []), told);

        told.ToString().ReplaceLineEndings("\n").Split('\n')[1].ShouldEndWith($" 1  {how}");
    }
}
