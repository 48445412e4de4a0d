using System.CommandLine;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>Checks of values before anything starts.</summary>
public static class OptionChecks
{
    /// <summary>
    /// Refuses values of <paramref name="option"/>. A text that cannot be parsed at all is told by the parser, and no check is asked for
    /// it.
    /// </summary>
    /// <param name="option">The option.</param>
    /// <param name="wrong">Says what is wrong with a value; null: nothing.</param>
    /// <returns>The same option.</returns>
    public static Option<T> Checked<T>(this Option<T> option, Func<T, string?> wrong)
    {
        ArgumentNullException.ThrowIfNull(option);
        option.Validators.Add(result =>
        {
            T? value;
            try
            {
                value = result.GetValue(option);
            }
            catch (InvalidOperationException)
            {
                return; // not parsed: the parser tells it, after the validators
            }

            if (value is not null && wrong(value) is { } message)
                result.AddError(message);
        });
        return option;
    }
}
