using System.CommandLine;
using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.DeadLetters;

/// <summary><c>kes dead-letters show FAMILY LETTER</c>: one letter with its origin, its cause, and the record as it was.</summary>
internal static class ShowCommand
{
    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var family = new Argument<string>("family") { Description = "APPLICATION.AGGREGATE, such as bank.account" };
        Argument<DeadLetterPlace> place = DeadLetterPlace.AsArgument("PARTITION@OFFSET, as list shows it");
        var command = new Command("show",
            "one dead letter: where it came from, what is wrong, and the record as it was, decoded where that is possible");
        command.Arguments.Add(family);
        command.Arguments.Add(place);
        cluster.AddTo(command, withRegistry: true);
        command.SetAction((result, cancellationToken) => Task.Run(async () =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            (TopicFamily found, int partitions) = DeadLetterFamilies.Find(kafka, result.GetValue(family))[0];
            DeadLetterPlace wanted = result.GetValue(place);
            DeadLetter letter = DeadLetterFamilies.Letters(kafka, found, partitions, withResolved: true, cancellationToken).FirstOrDefault(
                l => (l.Partition, l.Offset) == (wanted.Partition, wanted.Offset))
                ?? throw new CommandFailedException(
                    $"There is no dead letter {wanted} in {found.DeadLetters}. 'kes dead-letters list' shows those that there are.");
            ConsumeResult<byte[], byte[]> original = DeadLetterFormat.OriginalOf(
                new DeadLetterReader(kafka, found.DeadLetters).Fetch([letter], cancellationToken)[0]);
            Console.WriteLine($"letter     {found.DeadLetters} {wanted}");
            Console.WriteLine(
                $"aggregate  {(letter.AggregateId.IsDefault ? "(none: the key is not an aggregate id)" : letter.AggregateId.Value)}");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"origin     {letter.OriginTopic} {letter.Partition}@{letter.OriginOffset}"));
            Console.WriteLine($"parked     {letter.ParkedAt.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fff'Z'}");
            Console.WriteLine($"cause      {letter.Cause}: {letter.Message}");
            if (letter.Resolution is { } resolution)
            {
                string how = resolution.IsDiscarded
                    ? $"discarded by {resolution.By}: {resolution.Reason}"
                    : $"processed again, as {resolution.By} asked: {resolution.Outcome}";
                Console.WriteLine($"resolved   {resolution.Time.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {how}");
            }

            var record = new ConsumeResult<byte[]?, byte[]?>
            {
                TopicPartitionOffset = original.TopicPartitionOffset,
                Message = new Message<byte[]?, byte[]?>
                {
                    Key = original.Message.Key,
                    Value = original.Message.Value,
                    Headers = original.Message.Headers,
                    Timestamp = original.Message.Timestamp,
                },
            };
            using var decoder = new RecordDecoder(cluster.RegistryOf(result));
            Console.WriteLine(RecordFormat.Text(record, await decoder.Decode(record).ConfigureAwait(false)));
            return ExitCodes.Done;
        }, cancellationToken));
        return command;
    }
}
