using KafkaEventSourcing.Subscriptions;
using Microsoft.Extensions.Configuration;

namespace KafkaEventSourcing.Hosting.Hosts;

/// <summary>What the configuration says about a subscription, over what its definition says.</summary>
internal static class SubscriptionOverrides
{
    /// <summary>The options of <paramref name="subscription"/> with the values that <paramref name="options"/> have for its name.</summary>
    /// <exception cref="InvalidInputException">One is unusable, or of no option; the message names it.</exception>
    public static SubscriptionDefinition Over(SubscriptionDefinition subscription, KafkaEventSourcingOptions options)
    {
        if (!options.Subscriptions.TryGetValue(subscription.Name, out Dictionary<string, string>? values) || values is null)
            return subscription;
        string section = $"{nameof(options.Subscriptions)}:{subscription.Name}";
        SubscriptionOptions merged = subscription.Options with { };
        try
        {
            IEnumerable<KeyValuePair<string, string?>> given = values.Where(v => v.Value is not null).Select(v =>
                KeyValuePair.Create(v.Key, (string?)v.Value));
            new ConfigurationBuilder().AddInMemoryCollection(given).Build().Bind(merged,
                binder => binder.ErrorOnUnknownConfiguration = true);
        }
        catch (InvalidOperationException unreadable)
        {
            throw new InvalidInputException(section, $"{section}: {unreadable.Message}", unreadable);
        }

        OptionRules.Within(section, merged.Validate);
        return subscription.With(merged);
    }

    /// <summary>What is wrong with those of <paramref name="application"/>.</summary>
    public static void Check(ApplicationDefinition application, KafkaEventSourcingOptions options)
    {
        if (options.Subscriptions.Keys.FirstOrDefault(name => application.Subscriptions.All(s => s.Name != name)) is { } stranger)
        {
            string section = $"{nameof(options.Subscriptions)}:{stranger}";
            string[] known = [.. application.Subscriptions.Select(s => $"'{s.Name}'")];
            throw new InvalidInputException(section,
                $"{section} is of no subscription of the application '{application.Name}'; it "
                    + $"has {(known.Length == 0 ? "none" : string.Join(", ", known))}.");
        }

        foreach (SubscriptionDefinition subscription in application.Subscriptions)
            _ = Over(subscription, options);
    }
}
