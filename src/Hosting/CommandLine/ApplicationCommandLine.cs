using System.CommandLine;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>The command line that every application has: <c>run</c>, <c>verify</c>, and its own commands.</summary>
internal static class ApplicationCommandLine
{
    public static Task<int> Run(ApplicationDefinition application, IEmbeddedServers? embedded, IReadOnlyList<Func<NodeStarter, Command>> commands, string[] args)
    {
        var root = new RootCommand(application.Summary);
        var starter = new NodeStarter(application, embedded);
        foreach (Func<NodeStarter, Command> command in commands)
            root.Subcommands.Add(command(starter));
        root.Subcommands.Add(RunCommand.Create(starter));
        root.Subcommands.Add(VerifyCommand.Create(starter));
        return CommandLineRunner.RunAsync(root, args);
    }
}
