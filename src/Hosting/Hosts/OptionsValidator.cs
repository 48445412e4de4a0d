using Microsoft.Extensions.Options;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>Checks the options when the host starts, and names what is wrong by its key in the configuration.</summary>
internal sealed class OptionsValidator(KafkaEventSourcingBuilder builder) : IValidateOptions<KafkaEventSourcingOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, KafkaEventSourcingOptions options)
    {
        string[] failures = [.. builder.FailuresOf(options).Select(wrong => OptionNames.InConfiguration(wrong, builder.Section).Message)];
        return failures.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
