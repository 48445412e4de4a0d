using System.CommandLine;
using System.Globalization;
using Confluent.SchemaRegistry;
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
        var json = new Option<bool>("--json") { Description = "print the report as JSON" };
        var command = new Command("check", "read every event, snapshot and waiting command by this code and say what cannot be read, what "
            + "is converted, and which states and documents become others. It joins no group, and writes and registers nothing; nodes may "
            + "run meanwhile where the servers are not embedded. Exit code 1: something cannot be read");
        starter.AddOptions(command);
        command.Options.Add(sample);
        command.Options.Add(save);
        command.Options.Add(before);
        command.Options.Add(json);
        command.Validators.Add(result =>
        {
            if (result.GetResult(sample) is not null && (result.GetResult(save) is not null || result.GetResult(before) is not null))
                result.AddError("--sample folds nothing: there is no state for --save or --before.");
        });
        command.SetAction(async (result, cancellationToken) =>
        {
            string[]? lines = result.GetValue(before) is { } file
                ? await ReadLines(file, cancellationToken).ConfigureAwait(false)
                : null;
            using StreamWriter? keeper = result.GetValue(save) is { } kept ? Open(kept) : null;
            SchemaCheckReport report = await Check(starter, result, new SchemaCheckOptions
            {
                Sample = result.GetValue(sample),
                Before = lines,
                Keep = keeper is null ? null : keeper.WriteLine,
            }, cancellationToken).ConfigureAwait(false);
            if (result.GetValue(json))
                Console.WriteLine(SchemaCheckJson.Of(report));
            else
                SchemaCheckText.Write(report, Console.Out);
            return report.IsReadable ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    private static async Task<SchemaCheckReport> Check(NodeStarter starter, ParseResult result, SchemaCheckOptions options,
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
            var check = new SchemaCheck(application, addresses.KafkaConnection, registry, stored);
            SchemaCheckReport report = null!;
            await Progress.ShowAsync("checking", "records", null, () => check.Records,
                async () => report = await check.RunAsync(options, cancellationToken).ConfigureAwait(false), starter.Time)
                .ConfigureAwait(false);
            return report;
        }
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
