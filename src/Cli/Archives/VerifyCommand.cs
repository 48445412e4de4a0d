using System.CommandLine;
using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Archives;

/// <summary><c>kes archive verify FAMILY</c>.</summary>
internal static class VerifyCommand
{
    public static Command Create()
    {
        var cluster = new ClusterOptions();
        Argument<string> family = ArchiveOption.Family();
        Option<string> location = ArchiveOption.Location();
        var command = new Command("verify",
            "read the whole archive of an aggregate type: hashes, rows, order, and what is in the topic too");
        command.Arguments.Add(family);
        command.Options.Add(location);
        cluster.AddTo(command, withRegistry: false);
        command.SetAction((result, cancellationToken) => Task.Run(async () =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            IArchiveStore store = await ArchiveOption.Open(result.GetValue(location)!, cancellationToken).ConfigureAwait(false);
            await using (store.ConfigureAwait(false))
            {
                FamilyTopics topics = FamilyTopics.Find(kafka, result.GetValue(family)!);
                using PartitionLogReader log = PartitionLogReader.ToEnd(kafka, "kes-archive", waitsForOpen: false);
                var check = new ArchiveCheck(store, topics.Family, log);
                var all = default(ArchiveCheckFigures);
                int problems = 0;
                for (int partition = 0; partition < topics.Partitions; partition++)
                {
                    ArchiveCheckFigures figures = check.Run(partition, Tell, cancellationToken);
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"partition {partition}: {figures.Ranges:N0} ranges, {figures.Records:N0} records, {figures.Compared:N0} of them "
                            + $"compared with the topic, {figures.Tables:N0} tables"));
                    all += figures;
                }

                if (problems > 0)
                    throw new CommandFailedException($"The archive of {topics.Family.Events} is not whole: {problems} problems.");
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"The archive of {topics.Family.Events} is whole: {all.Records:N0} records in {all.Bytes:N0} bytes."));
                return ExitCodes.Done;

                void Tell(string problem)
                {
                    problems++;
                    Console.Error.WriteLine(problem);
                }
            }
        }, cancellationToken));
        return command;
    }
}
