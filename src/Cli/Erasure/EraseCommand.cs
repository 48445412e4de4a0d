using System.CommandLine;
using System.Globalization;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Erasure;

/// <summary>
/// <c>kes erase SUBJECT --app NAME</c>: destroys what personal data of one subject is sealed with, or looks for what is left.
/// </summary>
internal static class EraseCommand
{
    private const int LongestWait = 86_400;

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var subject = new Argument<string>("subject")
        {
            Description = "of whom: the id of the aggregate, or what the fields with \"kes.subject\" name",
        };
        var app = new Option<string>("--app") { Description = "the application, such as bank", Required = true };
        var wait = new Option<int>("--wait")
        {
            Description = "seconds to wait until all nodes have confirmed (default 30)", DefaultValueFactory = _ => 30,
        };
        wait.Checked(value => value is < 0 or > LongestWait ? $"--wait is {value}; it must be from 0 to 86,400, a day." : null);
        var verify = new Option<string[]>("--verify")
        {
            Description = "erase nothing; look for these values in all topics of the application and in --data",
            AllowMultipleArgumentsPerToken = true,
        };
        var data = new Option<string[]>("--data")
        {
            Description = "with --verify: folders of nodes or archives to look in too", AllowMultipleArgumentsPerToken = true,
        };
        var forget = new Option<string[]>("--without-node")
        {
            Description = "a node that has crashed for good: it is not waited for any more", AllowMultipleArgumentsPerToken = true,
        };
        var command = new Command(
            "erase", "destroy the keys that seal the personal data of one subject, for good, on all nodes; or look for "
            + "values that are left")
        {
            subject,
        };
        foreach (Option option in (Option[])[app, wait, forget, verify, data])
            command.Options.Add(option);
        cluster.AddTo(command, withRegistry: true);
        command.SetAction((result, cancellationToken) => Task.Run(async () =>
        {
            string of = result.GetValue(subject)!;
            if (string.IsNullOrWhiteSpace(of))
                throw new InvalidInputException("subject", "The subject is empty; it must be the id of somebody.");
            KafkaConnection kafka = cluster.KafkaOf(result);
            if (result.GetValue(verify) is { Length: > 0 } values)
                return Verify(kafka, result.GetValue(app)!, values, result.GetValue(data) ?? [], cancellationToken);
            if (result.GetValue(data) is { Length: > 0 })
                throw new InvalidInputException("--data", "--data is of use with --verify only.");
            using var registry = new CachedSchemaRegistryClient(cluster.RegistryOf(result));
            using SubjectErasure erasure = await SubjectErasure.OpenAsync(kafka, registry, result.GetValue(app)!, TimeProvider.System,
                cancellationToken).ConfigureAwait(false);
            foreach (string node in result.GetValue(forget) ?? [])
                await erasure.ForgetNodeAsync(node, cancellationToken).ConfigureAwait(false);
            return Tell(of, await erasure.EraseAsync(of, TimeSpan.FromSeconds(result.GetValue(wait)), cancellationToken)
                .ConfigureAwait(false));
        }, cancellationToken));
        return command;
    }

    private static int Tell(string subject, ErasureResult erased)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"'{subject}' is erased: {(erased.WasErased ? "it was before" :
            erased.WasKnown ? $"keys destroyed: {erased.DestroyedKeys}" : "nothing personal was known of it, and nothing is taken any "
                + "more")}."));
        Console.WriteLine(erased.Confirmed.Count == 0 ? "No node runs." : $"Confirmed by {string.Join(", ", erased.Confirmed)}.");
        if (erased.Silent.Count == 0)
            return ExitCodes.Done;
        Console.Error.WriteLine($"Not confirmed by {string.Join(", ", erased.Silent)}: cut off from Kafka, or crashed. Repeat the command "
            + $"once they are back; for one that is gone for good, with --without-node. What has crashed has nothing in memory.");
        return ExitCodes.Failed;
    }

    private static int Verify(KafkaConnection kafka, string application, string[] values, string[] folders,
        CancellationToken cancellationToken)
    {
        var search = new ValueSearch(values);
        foreach (string folder in folders.Where(f => !Directory.Exists(f)))
            throw new InvalidInputException("--data", $"--data: there is no folder {folder}.");
        int found = 0;
        foreach (string place in search.InTopics(kafka, application, cancellationToken).Concat(folders.SelectMany(f =>
            search.InFolder(f, cancellationToken))))
        {
            found++;
            Console.WriteLine(place);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{found} places; searched: {search.Records} records of topics, {search.Files} "
                + $"files, {search.Entries} entries of state stores."));
        return found == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }
}
