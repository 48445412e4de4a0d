using System.Globalization;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class UnknownOutcomeTests
{
    // Three places had the sentence, each with the decimal sign of the machine.
    [Fact]
    public void Message_is_the_same_on_every_machine_and_has_its_cause()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            comma.NumberFormat.NumberDecimalSeparator = ",";
            CultureInfo.CurrentCulture = comma;
            var cause = new TimeoutException();
            TimeoutException told = UnknownOutcome.After("c1", TimeSpan.FromMilliseconds(2_500), cause);
            told.Message.ShouldBe("No answer to the command c1 within 2.5 s. The outcome is not known: send it again under the same id to "
                + "learn it.");
            told.InnerException.ShouldBe(cause);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}
