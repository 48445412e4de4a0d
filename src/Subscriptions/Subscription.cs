namespace KafkaEventSourcing.Subscriptions;

/// <summary>Where a subscription's definition starts.</summary>
public static class Subscription
{
    private const int MaxNameLength = 64;

    /// <summary>Starts the definition of a subscription.</summary>
    /// <param name="name">The name in those of consumer groups: a lower case letter, then lower case letters, digits and hyphens, at most
    /// 64. Under another name it is another subscription, which begins anew.</param>
    /// <exception cref="InvalidInputException">The name is not of that form.</exception>
    public static SubscriptionBuilder Named(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length is 0 or > MaxNameLength
            || !char.IsAsciiLetterLower(name[0])
            || name.Any(c => !(char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')))
        {
            throw new InvalidInputException(
                "subscription",
                $"The subscription name '{name}' must start with a lower case letter and have at most {MaxNameLength} lower case letters, "
                    + $"digits and hyphens: it becomes part of the names of consumer groups.");
        }

        return new SubscriptionBuilder(name);
    }
}
