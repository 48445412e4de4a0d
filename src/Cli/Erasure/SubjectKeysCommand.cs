using System.CommandLine;
using System.Globalization;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Erasure;

/// <summary><c>kes subject-keys rewrap --app NAME --master-key-file FILE</c>.</summary>
internal static class SubjectKeysCommand
{
    public static Command Create()
    {
        var command = new Command("subject-keys", "care for the keys that seal personal data");
        command.Subcommands.Add(CreateRewrap());
        return command;
    }

    private static Command CreateRewrap()
    {
        var cluster = new ClusterOptions();
        var app = new Option<string>("--app") { Description = "the application, such as bank", Required = true };
        Option<string?> file = ServerOptions.Named<string?>("--master-key-file", "KES_MASTER_KEY_FILE",
            "the file with the new master key in its first line and the old one below", v => v, null);
        var command = new Command("rewrap",
            "wrap all keys with the master key in the first line of the file; what the keys have sealed stays as it is");
        command.Options.Add(app);
        command.Options.Add(file);
        cluster.AddTo(command, withRegistry: true);
        command.SetAction((result, cancellationToken) => Task.Run(async () =>
        {
            MasterKeyRing masters = MasterKeyRing.Load(result.GetValue(file)
                ?? throw new InvalidInputException("--master-key-file", "--master-key-file is missing; it names the master keys."));
            using var registry = new CachedSchemaRegistryClient(cluster.RegistryOf(result));
            using SubjectErasure keys = await SubjectErasure.OpenAsync(cluster.KafkaOf(result), registry, result.GetValue(app)!,
                TimeProvider.System, cancellationToken).ConfigureAwait(false);
            try
            {
                int wrapped = await keys.RewrapAsync(masters, cancellationToken).ConfigureAwait(false);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{wrapped} keys are wrapped anew, all by "
                        + $"'{masters.CurrentId}' now. Once every node runs with it first, and this command "
                        + $"says 0, the older ones can go."));
                return ExitCodes.Done;
            }
            catch (MasterKeyException wrong)
            {
                throw new CommandFailedException(wrong.Message, wrong);
            }
        }, cancellationToken));
        return command;
    }
}
