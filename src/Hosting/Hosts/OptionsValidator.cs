using System.Globalization;
using Microsoft.Extensions.Options;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>Checks the options as the command line does, and names what is wrong by the property of the configuration.</summary>
internal sealed class OptionsValidator(KafkaEventSourcingBuilder builder) : IValidateOptions<KafkaEventSourcingOptions>
{
    // Longer flags first: one may begin with another.
    private static readonly (string Flag, string Property)[] Properties =
    [
        ("--registry-setting", nameof(KafkaEventSourcingOptions.SchemaRegistrySettings)),
        ("--replication-factor", nameof(KafkaEventSourcingOptions.ReplicationFactor)),
        ("--session-timeout", nameof(KafkaEventSourcingOptions.SessionTimeout)),
        ("--kafka-setting", nameof(KafkaEventSourcingOptions.KafkaSettings)),
        ("--node-secret", nameof(KafkaEventSourcingOptions.NodeSecret)),
        ("--partitions", nameof(KafkaEventSourcingOptions.Partitions)),
        ("--advertise", nameof(KafkaEventSourcingOptions.Advertise)),
        ("--standbys", nameof(KafkaEventSourcingOptions.Standbys)),
        ("--registry", nameof(KafkaEventSourcingOptions.SchemaRegistry)),
        ("--mongodb", nameof(KafkaEventSourcingOptions.MongoDB)),
        ("--node-id", nameof(KafkaEventSourcingOptions.NodeId)),
        ("--kafka", nameof(KafkaEventSourcingOptions.Kafka)),
        ("--data", nameof(KafkaEventSourcingOptions.DataDirectory)),
    ];

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, KafkaEventSourcingOptions options)
    {
        var failures = new List<string>();
        Check(() => options.NodeOptionsOf(builder.Name).Validate());
        Check(options.Addresses.Validate);
        Check(options.Http.Validate);
        if (builder.Embedded is null)
            Check(() => _ = new ExternalServers(options.Addresses));
        if (options.DataDirectory is { } data && string.IsNullOrWhiteSpace(data))
            failures.Add($"{builder.Section}:{nameof(options.DataDirectory)} is empty; it must be the name of a folder, or be left out.");
        if (options.Advertise is { } address && (!address.IsAbsoluteUri || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps)))
            failures.Add($"{builder.Section}:{nameof(options.Advertise)} is '{address}'; it must be an address such as http://node-1:8080.");
        Positive(nameof(options.TokenTimeout), options.TokenTimeout > TimeSpan.Zero, options.TokenTimeout);
        Positive(nameof(options.StartTimeout), options.StartTimeout > TimeSpan.Zero, options.StartTimeout);
        Positive(nameof(options.BarrierEvents), options.BarrierEvents > 0, options.BarrierEvents);
        if (options.Drain < TimeSpan.Zero)
            failures.Add($"{builder.Section}:{nameof(options.Drain)} is {options.Drain}; it must not be negative.");
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void Positive(string property, bool isPositive, object value)
        {
            if (!isPositive)
                failures.Add(string.Create(CultureInfo.InvariantCulture, $"{builder.Section}:{property} is {value}; it must be positive."));
        }

        void Check(Action check)
        {
            try
            {
                check();
            }
            catch (InvalidInputException wrong)
            {
                failures.Add(InConfiguration(wrong));
            }
            catch (ArgumentException unusable)
            {
                failures.Add($"{builder.Section}:{nameof(options.DataDirectory)} is '{options.DataDirectory}': {unusable.Message}");
            }
        }
    }

    private string InConfiguration(InvalidInputException wrong)
    {
        string message = wrong.Message;
        foreach ((string flag, string property) in Properties)
            message = message.Replace(flag, $"{builder.Section}:{property}", StringComparison.Ordinal);
        return message.StartsWith(builder.Section, StringComparison.Ordinal) || wrong.Field.StartsWith('-') ? message : $"{builder.Section}:{message}";
    }
}
