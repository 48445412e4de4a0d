using System.CommandLine;
using System.Globalization;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.DeadLetters;

/// <summary><c>kes dead-letters list [FAMILY]</c>.</summary>
internal static class ListCommand
{
    private const int MaxMessage = 100;

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var family = new Argument<string?>("family")
        {
            Description = "APPLICATION.AGGREGATE, such as bank.account; all when it is left out", Arity = ArgumentArity.ZeroOrOne,
        };
        var aggregate = new Option<string?>("--aggregate", "-a") { Description = "letters of this aggregate only" };
        var resolved = new Option<bool>("--resolved") { Description = "letters that were processed or discarded too" };
        var json = new Option<bool>("--json") { Description = "one JSON object a line" };
        var command = new Command("list", "records that could not be processed, and those that wait behind them, in order");
        command.Arguments.Add(family);
        foreach (Option option in new Option[] { aggregate, resolved, json })
            command.Options.Add(option);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            var letters = new List<DeadLetter>();
            foreach ((TopicFamily found, int partitions) in DeadLetterFamilies.Find(kafka, result.GetValue(family)))
                letters.AddRange(DeadLetterFamilies.Letters(kafka, found, partitions, result.GetValue(resolved), cancellationToken));
            if (result.GetValue(aggregate) is { } wanted)
                letters.RemoveAll(l => l.AggregateId.ToString() != wanted);
            if (result.GetValue(json))
                letters.ForEach(l => Console.WriteLine(DeadLetterJson.Of(l)));
            else
                Print(letters, result.GetValue(resolved));
            return ExitCodes.Done;
        }, cancellationToken));
        return command;
    }

    private static void Print(List<DeadLetter> letters, bool withResolved)
    {
        if (letters.Count == 0)
        {
            Console.WriteLine("No dead letters.");
            return;
        }

        foreach (IGrouping<string, DeadLetter> topic in letters.GroupBy(l => l.Topic))
        {
            Console.WriteLine(topic.Key);
            int width = topic.Select(l => Name(l).Length).Append("AGGREGATE".Length).Max();
            Console.WriteLine($"{"LETTER",12}  {"AGGREGATE".PadRight(width)}  SINCE                 CAUSE");
            foreach (DeadLetter letter in topic)
                Console.WriteLine($"{string.Create(CultureInfo.InvariantCulture, $"{letter.Partition}@{letter.Offset}"),12} "
                    + $" {Name(letter).PadRight(width)}  {letter.ParkedAt.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}  {Cause(letter)}");
        }

        DeadLetter[] waiting = [.. letters.Where(l => l.Resolution is null)];
        Console.WriteLine($"{waiting.Length} wait, "
            + $"of {waiting.Where(l => !l.AggregateId.IsDefault).DistinctBy(l => (l.Topic, l.AggregateId)).Count()} parked "
            + $"aggregates{(withResolved ? $"; {letters.Count - waiting.Length} are resolved" : "")}.");
    }

    private static string Name(DeadLetter letter) => letter.AggregateId.IsDefault ? "(none)" : PlainText.Escape(letter.AggregateId.Value);

    private static string Cause(DeadLetter letter) => PlainText.Escape(CauseOf(letter));

    private static string CauseOf(DeadLetter letter) => letter.Resolution switch
    {
        { IsDiscarded: true } discarded => $"discarded by {discarded.By}: {discarded.Reason}",
        { } retried => $"retried by {retried.By}: {retried.Outcome}",
        null when letter.IsQueued => "queued",
        null => $"{letter.Cause}: {(letter.Message.Length <= MaxMessage ? letter.Message : $"{letter.Message[..MaxMessage]}…")}",
    };
}
