using System.CommandLine;
using System.Globalization;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Verification;
using KafkaEventSourcing.Projections.MongoDB;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary><c>schemas check</c>: can this code read what is in the log, and does it make the same of it?</summary>
internal static class SchemaCheckCommand
{
    public static Command Create(NodeStarter starter)
    {
        var command = new Command("schemas", "ask whether this code can read what is in the log, before it is deployed");
        command.Subcommands.Add(CreateCheck(starter));
        return command;
    }

    private static Command CreateCheck(NodeStarter starter)
    {
        var exported = new Option<FileInfo?>("--file")
        {
            Description = "read a file of 'kes topics export' in place of servers, which are not asked; read models are not compared",
            HelpName = "file",
        };
        var sample = new Option<int?>("--sample")
        {
            Description = "read so many events of each partition, spread over it, and fold nothing; default: all",
            HelpName = "events",
        };
        sample.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && (result.GetValueOrDefault<int?>() is not { } given || given < 1))
                result.AddError("--sample must be a whole number of at least 1.");
        });
        var save = new Option<FileInfo?>("--save") { Description = "keep the state of every aggregate in this file", HelpName = "file" };
        var before = new Option<FileInfo?>("--before")
        {
            Description = "compare with the states of this file, which the code before has written with --save; default: with snapshots",
            HelpName = "file",
        };
        var streams = new Option<string[]>("--stream-snapshots")
        {
            Description = "read the snapshots that event streams keep of an aggregate type, such as "
                + "account=bank-streams-account-snapshots-changelog, too; may be repeated. Default: of the configuration of the node, "
                + "where no --file is read",
            HelpName = "type=topic",
        };
        streams.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(t => t.Value.Split('=') is not [{ Length: > 0 }, { Length: > 0 }]) is { } wrong)
                result.AddError($"--stream-snapshots '{wrong.Value}' is not an aggregate type and a topic, such as account=TOPIC.");
            else if (result.Tokens.CountBy(t => t.Value.Split('=')[0]).FirstOrDefault(t => t.Value > 1).Key is { } twice)
                result.AddError($"--stream-snapshots names two topics of '{twice}'.");
        });
        var json = new Option<bool>("--json") { Description = "print the report as JSON" };
        var command = new Command("check", "read every event, snapshot and waiting command by this code and say what cannot be read, what "
            + "is converted, and which states and documents become others. It joins no group, and writes and registers nothing; nodes may "
            + "run meanwhile where the servers are not embedded. Exit code 1: something cannot be read");
        starter.AddOptions(command);
        command.Options.Add(exported);
        command.Options.Add(sample);
        command.Options.Add(save);
        command.Options.Add(before);
        command.Options.Add(streams);
        command.Options.Add(json);
        command.Validators.Add(result =>
        {
            if (result.GetResult(sample) is not null && (result.GetResult(save) is not null || result.GetResult(before) is not null))
                result.AddError("--sample folds nothing: there is no state for --save or --before.");
            if (result.GetResult(exported) is { Implicit: false }
                && ServersOf(starter).FirstOrDefault(o => result.GetResult(o) is { Implicit: false }) is { } server)
                result.AddError($"--file is read without servers: leave {server.Name} out.");
        });
        command.SetAction(async (result, cancellationToken) =>
        {
            string[]? lines = result.GetValue(before) is { } earlier
                ? await ReadLines(earlier, cancellationToken).ConfigureAwait(false)
                : null;
            using StreamWriter? keeper = result.GetValue(save) is { } kept ? Open(kept) : null;
            var options = new SchemaCheckOptions
            {
                Sample = result.GetValue(sample),
                Before = lines,
                Keep = keeper is null ? null : keeper.WriteLine,
                StreamSnapshots = (result.GetValue(streams) ?? []).Select(s => s.Split('=')).ToDictionary(s => s[0], s => s[1]),
            };
            SchemaCheckReport report = result.GetValue(exported) is { } file
                ? await CheckFile(starter, file, options, cancellationToken).ConfigureAwait(false)
                : await CheckServers(starter, result, options, cancellationToken).ConfigureAwait(false);
            if (result.GetValue(json))
                Console.WriteLine(SchemaCheckJson.Of(report));
            else
                SchemaCheckText.Write(report, Console.Out);
            return report.IsReadable ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static IEnumerable<Option> ServersOf(NodeStarter starter) => [starter.Options.Kafka, starter.Options.KafkaSettings,
        starter.Options.Registry, starter.Options.RegistrySettings, starter.Options.MongoDB, starter.Options.Data];

    private static async Task<SchemaCheckReport> CheckFile(NodeStarter starter, FileInfo file, SchemaCheckOptions options,
        CancellationToken cancellationToken)
    {
        ApplicationDefinition application = starter.Application;
        using ExportedRecords source = ExportedRecords.Open(file.FullName);
        if (!application.Aggregates.Any(a => source.Topics.Contains(new TopicFamily(application.Name, a.Name).Events)))
            throw new InvalidInputException("--file", $"{file.FullName} has no events of {application.Name}; it has "
                + $"{string.Join(", ", source.Topics)}. 'kes topics export {application.Name}.{application.Aggregates[0].Name}' writes "
                + "them.");
        CheckTopics(source, options, "kes topics export", file.FullName);
        SchemaCheckReport report = await Check(new SchemaCheck(application, source, stored: null), options, starter.Time,
            cancellationToken).ConfigureAwait(false);
        return options.Sample is null
            ? report with
            {
                ReadModels = [.. application.Projections.Select(p =>
                    new ReadModelCheck(p.Name, 0, 0, [], "a file does not have its documents"))],
            }
            : report;
    }

    private static async Task<SchemaCheckReport> CheckServers(NodeStarter starter, ParseResult result, SchemaCheckOptions options,
        CancellationToken cancellationToken)
    {
        ApplicationDefinition application = starter.Application;
        using ILoggerFactory loggers = starter.Options.CreateLog(result);
        IServers servers = await starter.StartServersAsync(result, RunCommand.DefaultDataDirectory(application), loggers,
            cancellationToken).ConfigureAwait(false);
        await using (servers.ConfigureAwait(false))
        {
            ServerAddresses addresses = servers.Addresses;
            addresses.Validate();
            using var registry = new CachedSchemaRegistryClient(addresses.RegistryConfig());
            using MongoProjectionStore? stored = addresses.MongoDB is { } mongo && application.NeedsMongoDB
                ? new MongoProjectionStore(new MongoProjectionOptions { ConnectionString = mongo, Database = application.Name },
                    starter.Time, loggers.CreateLogger<MongoProjectionStore>())
                : null;
            using var source = new TopicRecords(addresses.KafkaConnection, $"{application.Name}-schemas", registry);
            CheckTopics(source, options, "kes topics list", addresses.Kafka!);
            return await Check(new SchemaCheck(application, source, stored), WithConfigured(starter, result, options), starter.Time,
                cancellationToken).ConfigureAwait(false);
        }
    }

    // What is named here must be there; what the configuration names may not be yet.
    private static void CheckTopics(IRecordSource source, SchemaCheckOptions options, string command, string place)
    {
        if (options.StreamSnapshots.Values.FirstOrDefault(t => !source.Topics.Contains(t)) is { } missing)
            throw new InvalidInputException("--stream-snapshots",
                $"There is no topic {missing} in {place}: '{command}' {(command.EndsWith("list", StringComparison.Ordinal)
                    ? "shows those that there are" : "writes it where it is named beside the family")}.");
    }

    private static SchemaCheckOptions WithConfigured(NodeStarter starter, ParseResult result, SchemaCheckOptions options)
    {
        var configured = new KafkaEventSourcingOptions();
        starter.Configure(configured, result, RunCommand.DefaultDataDirectory(starter.Application));
        var topics = new Dictionary<string, string>(configured.StreamSnapshots);
        foreach ((string aggregate, string topic) in options.StreamSnapshots)
            topics[aggregate] = topic;
        return options with { StreamSnapshots = topics };
    }

    private static async Task<SchemaCheckReport> Check(SchemaCheck check, SchemaCheckOptions options, TimeProvider time,
        CancellationToken cancellationToken)
    {
        SchemaCheckReport report = null!;
        await Progress.ShowAsync("checking", "records", null, () => check.Records,
            async () => report = await check.RunAsync(options, cancellationToken).ConfigureAwait(false), time).ConfigureAwait(false);
        return report;
    }

    private static async Task<string[]> ReadLines(FileInfo file, CancellationToken cancellationToken)
    {
        try
        {
            return await File.ReadAllLinesAsync(file.FullName, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException("--before", $"The file of --before cannot be read: {unreadable.Message}", unreadable);
        }
    }

    private static StreamWriter Open(FileInfo file)
    {
        try
        {
            return new StreamWriter(file.FullName);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException("--save", $"The file of --save cannot be written: {refused.Message}", refused);
        }
    }
}
