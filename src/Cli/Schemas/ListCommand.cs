using System.CommandLine;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Schemas;

/// <summary><c>kes schemas list [PREFIX]</c>.</summary>
internal static class ListCommand
{
    public static Command Create()
    {
        var servers = new ClusterOptions();
        var prefix = new Argument<string>("prefix")
        {
            Description = "only subjects that begin so, such as the name of a topic",
            DefaultValueFactory = _ => "",
        };
        var command = new Command("list", "subjects with their versions and the ids of their schemas");
        command.Arguments.Add(prefix);
        servers.AddRegistryTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            using var registry = new CachedSchemaRegistryClient(servers.RegistryOf(result));
            IReadOnlyList<string> subjects = await RegistrySubjects.Of(registry, result.GetValue(prefix)!).ConfigureAwait(false);
            int width = subjects.Select(s => s.Length).Append("SUBJECT".Length).Max();
            Console.WriteLine($"{"SUBJECT".PadRight(width)}  VERSION:ID");
            foreach (string subject in subjects)
            {
                cancellationToken.ThrowIfCancellationRequested();
                IReadOnlyList<RegisteredSchema> versions = await RegistrySubjects.VersionsOf(registry, subject).ConfigureAwait(false);
                Console.WriteLine($"{subject.PadRight(width)}  {string.Join(' ', versions.Select(v => $"{v.Version}:{v.Id}"))}");
            }

            return ExitCodes.Done;
        });
        return command;
    }
}
