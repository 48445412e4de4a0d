using System.CommandLine;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.DeadLetters;

/// <summary><c>kes dead-letters retry</c> and <c>discard</c>: the node that owns the partition does it, once, and answers.</summary>
internal static class ResolveCommands
{
    public static Command CreateRetry()
    {
        var aggregate = new Option<string?>("--aggregate", "-a") { Description = "this aggregate" };
        var all = new Option<bool>("--all") { Description = "every aggregate of the family, one after the other" };
        var cause = new Option<string?>("--cause")
        {
            Description = "with --all: only aggregates that are parked for this cause, such as unknown-schema",
        };
        return Create("retry", "have the letters of an aggregate processed again, in order; it stops at the first that fails still",
            [aggregate, all, cause], (result, letters) =>
        {
            if (result.GetValue(aggregate) is null == !result.GetValue(all))
                throw new InvalidInputException("--aggregate", "Say which: --aggregate ID, or --all.");
            if (result.GetValue(cause) is not null && !result.GetValue(all))
                throw new InvalidInputException("--cause", "--cause chooses among all aggregates: it needs --all.");
            return [.. letters.Where(l =>
                !l.AggregateId.IsDefault && (result.GetValue(all)
                    ? result.GetValue(cause) is not { } wanted || l.Cause == wanted
                    : l.AggregateId.Value == result.GetValue(aggregate)))
                .DistinctBy(l => l.AggregateId).Select(l => (l, (long?)null))];
        }, (_, by, offset) => new DeadLetterRequest(IsDiscard: false, offset, by, Reason: null));
    }

    public static Command CreateDiscard()
    {
        var aggregate = new Option<string?>("--aggregate", "-a") { Description = "all letters of this aggregate" };
        Option<DeadLetterPlace?> one = DeadLetterPlace.AsOption("this letter alone, PARTITION@OFFSET");
        var misplaced = new Option<bool>("--misplaced")
        {
            Description = "events and snapshots that lie on another partition than that of their key; their partitions are not served "
                + "before, so it needs no node",
        };
        var reason = new Option<string>("--reason") { Description = "why; it is recorded", Required = true };
        return Create("discard", "give letters up; who and why is recorded, and whoever waits for an outcome is told",
            [aggregate, one, misplaced, reason], (result, letters) =>
        {
            if (new[]
            {
                result.GetValue(aggregate) is not null, result.GetValue(one) is not null, result.GetValue(misplaced),
            }.Count(given => given) != 1)
                throw new InvalidInputException("--aggregate",
                    "Say which: --aggregate ID for all of its letters, --letter PARTITION@OFFSET for one, or --misplaced.");
            if (string.IsNullOrWhiteSpace(result.GetValue(reason)))
                throw new InvalidInputException("--reason", "--reason is empty: nothing is discarded without a reason.");
            return result.GetValue(one) is { } place
                ? [.. letters.Where(l => (l.Partition, l.Offset) == (place.Partition, place.Offset)).Select(l => (l, (long?)l.Offset))]
                : [.. letters.Where(l => l.AggregateId.ToString() == result.GetValue(aggregate)).Take(1).Select(l => (l, (long?)null))];
        }, (result, by, offset) => new DeadLetterRequest(IsDiscard: true, offset, by, result.GetValue(reason)),
        (result, kafka, family, by, cancellationToken) =>
            result.GetValue(misplaced) ? DiscardMisplaced(kafka, family, by, result.GetValue(reason)!, cancellationToken) : null);
    }

    private static Command Create(
        string verb, string description, Option[] options,
        Func<ParseResult, IEnumerable<DeadLetter>, IReadOnlyList<(DeadLetter Letter, long? Offset)>> choose,
        Func<ParseResult, string, long?, DeadLetterRequest> request,
        Func<ParseResult, KafkaConnection, TopicFamily, string, CancellationToken, int?>? instead = null)
    {
        var cluster = new ClusterOptions();
        var family = new Argument<string>("family") { Description = "APPLICATION.AGGREGATE, such as bank.account" };
        Option<string> by = ServerOptions.Named("--by", "KES_USER", "who asks (default: the user of this machine)", v => v,
            Environment.UserName);
        var timeout = new Option<int>("--timeout")
        {
            Description = "seconds to wait for each answer (default 30)", DefaultValueFactory = _ => 30,
        };
        by.Checked(value => string.IsNullOrWhiteSpace(value) ? "--by is empty; it must say who asks, as that is recorded." : null);
        timeout.Checked(value => value is < 1 or > 86_400 ? $"--timeout is {value}; it must be from 1 to 86,400, a day." : null);
        var command = new Command(verb, description);
        command.Arguments.Add(family);
        foreach (Option option in (Option[])[.. options, by, timeout])
            command.Options.Add(option);
        cluster.AddTo(command, withRegistry: true);
        command.SetAction((result, cancellationToken) => Task.Run(async () =>
        {
            choose(result, []); // wrong usage is told before anything is asked of a server
            KafkaConnection kafka = cluster.KafkaOf(result);
            SchemaRegistryConfig registryConfig = cluster.RegistryOf(result);
            (TopicFamily found, int partitions) = DeadLetterFamilies.Find(kafka, result.GetValue(family))[0];
            if (instead?.Invoke(result, kafka, found, result.GetValue(by)!, cancellationToken) is { } exitCode)
                return exitCode;
            IReadOnlyList<(DeadLetter Letter, long? Offset)> chosen = choose(result,
                DeadLetterFamilies.Letters(kafka, found, partitions, withResolved: false, cancellationToken));
            if (chosen.Count == 0)
                throw new CommandFailedException($"No such letter waits in {found.DeadLetters}. 'kes dead-letters "
                    + $"list {found.Application}.{found.Aggregate}' shows those that do.");
            using var registry = new CachedSchemaRegistryClient(registryConfig);
            // the answers are read with it: what takes effect must not look as if it had failed
            await registry.GetAllSubjectsAsync().ConfigureAwait(false);
            using var client = new DeadLetterClient(kafka, found, AvroMessageSerde.Create(registry, []), TimeProvider.System);
            bool failed = false;
            foreach ((DeadLetter letter, long? offset) in chosen)
            {
                CommandReply reply = client.Ask(letter.Partition, letter.AggregateId, request(result, result.GetValue(by)!, offset),
                    TimeSpan.FromSeconds(result.GetValue(timeout)), cancellationToken);
                failed |= Tell(letter, reply, found);
            }

            return failed ? ExitCodes.Failed : ExitCodes.Done;
        }, cancellationToken));
        return command;
    }

    private static int DiscardMisplaced(KafkaConnection kafka, TopicFamily family, string by, string reason,
        CancellationToken cancellationToken)
    {
        (int events, int snapshots) = new MisplacedRecords(kafka, family).Discard(by, reason, Show, TimeProvider.System, cancellationToken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{events} misplaced events and {snapshots} misplaced snapshots are discarded."));
        return ExitCodes.Done;

        static void Show(ConsumeResult<byte[], byte[]> record)
        {
            string? Header(string name) => CloudEventHeaders.Find(record.Message.Headers, name) is { } value
                ? Encoding.UTF8.GetString(value)
                : null;
            string version = Header(CloudEventHeaders.Sequence) is { } sequence
                ? $" version {sequence}, command {Header(CloudEventHeaders.CausationId)}"
                : "";
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{record.Topic} {record.Partition.Value}@{record.Offset.Value} "
                    + $"of {Encoding.UTF8.GetString(record.Message.Key)}: {Header(CloudEventHeaders.Type)}{version}"));
        }
    }

    private static bool Tell(DeadLetter letter, CommandReply reply, TopicFamily family)
    {
        string whose = letter.AggregateId.IsDefault ? "(no aggregate)" : letter.AggregateId.Value;
        string left = reply.Details.GetValueOrDefault("left", "0");
        string figures = reply.Details.TryGetValue("settled", out string? resolved)
            ? $"{resolved} resolved, {left} left"
            : "nothing resolved";
        if (reply.Outcome == ReplyOutcome.Accepted)
        {
            Console.WriteLine(left == "0"
                ? $"{whose}: {figures}."
                : $"{whose}: {figures}, and parked until they are processed: kes dead-letters "
                    + $"retry {family.Application}.{family.Aggregate} --aggregate {whose}");
            return false;
        }

        Console.Error.WriteLine($"{whose}: {figures}. {reply.Message}");
        return true;
    }
}
