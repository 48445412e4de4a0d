using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Subscriptions;

namespace KafkaEventSourcing.Cli.Subscriptions;

/// <summary><c>kes subscriptions retry</c> and <c>skip</c>: the node that has the partition does it, and answers.</summary>
internal static class ResolveCommands
{
    public static Command CreateRetry()
    {
        var aggregate = new Option<string?>("--aggregate", "-a") { Description = "this aggregate" };
        var all = new Option<bool>("--all") { Description = "every parked aggregate of the subscription, one after the other" };
        return Create("retry",
            "have the events of a parked aggregate handled, from the one that failed on, in order; it is parked again at the first that "
                + "fails", [aggregate, all], isSkip: false, (result, parked) =>
        {
            if (result.GetValue(aggregate) is null == !result.GetValue(all))
                throw new InvalidInputException("--aggregate", "Say which: --aggregate ID, or --all.");
            return [.. parked.Where(p => result.GetValue(all) || p.Parked.AggregateId == result.GetValue(aggregate))];
        }, _ => null);
    }

    public static Command CreateSkip()
    {
        var place = new Option<(int Partition, long Offset)?>("--event", "-e")
        {
            Description = "the event at which an aggregate is parked, PARTITION@OFFSET as show has it",
            Required = true,
            CustomParser = Parse,
        };
        var reason = new Option<string>("--reason") { Description = "why; it is recorded", Required = true };
        return Create("skip",
            "pass over the event at which an aggregate is parked, and have those behind it handled; who and why is recorded",
            [place, reason], isSkip: true, (result, parked) =>
        {
            if (string.IsNullOrWhiteSpace(result.GetValue(reason)))
                throw new InvalidInputException("--reason", "--reason is empty: nothing is passed over without a reason.");
            (SubscriptionTopic Topic, ParkedAggregate Parked)[] there =
                [.. parked.Where(p => (p.Parked.Partition, p.Parked.Offset) == result.GetValue(place))];
            return there.Length <= 1
                ? there
                : throw new InvalidInputException("--type",
                    $"Aggregates of several types are parked at such a place "
                        + $"({string.Join(", ", there.Select(t => t.Topic.Family.Aggregate))}): say which with --type.");
        }, result => result.GetValue(reason));
    }

    private static Command Create(
        string verb, string description, Option[] options, bool isSkip,
        Func<ParseResult, IReadOnlyList<(SubscriptionTopic Topic, ParkedAggregate Parked)>,
            IReadOnlyList<(SubscriptionTopic Topic, ParkedAggregate Parked)>> choose, Func<ParseResult, string?> reason)
    {
        var cluster = new ClusterOptions();
        Argument<string> subscription = SubscriptionTopic.Argument();
        Option<string?> type = SubscriptionTopic.Type();
        Option<string> by = ServerOptions.Named("--by", "KES_USER", "who asks (default: the user of this machine)", v => v,
            Environment.UserName);
        var timeout = new Option<int>("--timeout")
        {
            Description = "seconds to wait for each answer, which comes when all is handled (default 30)", DefaultValueFactory = _ => 30,
        };
        timeout.Checked(value => value is < 1 or > 86_400 ? $"--timeout is {value}; it must be from 1 to 86,400, a day." : null);
        var command = new Command(verb, description);
        command.Arguments.Add(subscription);
        foreach (Option option in (Option[])[.. options, type, by, timeout])
            command.Options.Add(option);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            choose(result, []); // wrong usage is told before anything is asked of a server
            KafkaConnection kafka = cluster.KafkaOf(result);
            IReadOnlyList<(SubscriptionTopic Topic, ParkedAggregate Parked)> chosen = choose(
                result,
                [.. SubscriptionTopic.Find(kafka, result.GetValue(subscription), result.GetValue(type)).SelectMany(t =>
                    t.Read(kafka, cancellationToken).SelectMany(s => s.State.Parked.OrderBy(p => p.Offset)).Select(p => (t, p)))]);
            if (chosen.Count == 0)
                throw new CommandFailedException(
                    $"No such aggregate is parked. 'kes subscriptions show {result.GetValue(subscription)}' shows those that are.");
            bool failed = false;
            foreach ((SubscriptionTopic topic, ParkedAggregate parked) in chosen)
            {
                using var client = new SubscriptionClient(kafka, topic.Topic, TimeProvider.System);
                SubscriptionAnswer answer = client.Ask(parked, isSkip, result.GetValue(by)!, reason(result),
                    TimeSpan.FromSeconds(result.GetValue(timeout)), cancellationToken);
                failed |= !answer.IsDone;
                string figures = string.Create(CultureInfo.InvariantCulture,
                    $"{topic.Family.Aggregate} {PlainText.Escape(parked.AggregateId)}: {answer.Handled} handled");
                if (answer.IsDone)
                    Console.WriteLine($"{figures}, parked no more.");
                else
                    Console.Error.WriteLine($"{figures}. {PlainText.Escape(answer.Message ?? "")}");
            }

            return failed ? ExitCodes.Failed : ExitCodes.Done;
        }, cancellationToken));
        return command;
    }

    private static (int Partition, long Offset)? Parse(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        int at = text.IndexOf('@', StringComparison.Ordinal);
        if (at > 0
            && int.TryParse(text.AsSpan(0, at), NumberStyles.None, CultureInfo.InvariantCulture, out int partition)
            && long.TryParse(text.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long offset))
            return (partition, offset);
        result.AddError($"'{text}' is not the place of an event, PARTITION@OFFSET such as 3@17; 'kes subscriptions show' has them.");
        return null;
    }
}
