using System.Globalization;

namespace KafkaEventSourcing.EventLog;

/// <summary>What callers are told who have got no answer: the command may have taken effect, and its id tells.</summary>
internal static class UnknownOutcome
{
    /// <summary>What to do about it, as the end of a message.</summary>
    public const string Advice = "The outcome is not known: send it again under the same id to learn it.";

    /// <summary>That the command with the id <paramref name="command"/> has got no answer in time.</summary>
    /// <param name="command">The command's id.</param>
    /// <param name="limit">How long it was waited for.</param>
    /// <param name="cause">What said so; null: nothing but the clock.</param>
    public static TimeoutException After(string command, TimeSpan limit, Exception? cause = null) =>
        new(string.Create(CultureInfo.InvariantCulture, $"No answer to the command {command} within {limit.TotalSeconds:0.#} s. {Advice}"),
            cause);
}
