using System.CommandLine;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>
/// The command line of an application: <c>run</c>, <c>verify</c>, <c>schemas</c>, and its own commands. Not thread-safe; used once at
/// start-up.
/// </summary>
public sealed class ApplicationCommandLine
{
    private readonly EventSourcedApplication _application;
    private readonly List<Func<NodeStarter, Command>> _commands = [];
    private readonly List<Verification> _verifications = [];

    internal ApplicationCommandLine(EventSourcedApplication application) => _application = application;

    /// <summary>Adds a command of the application's own.</summary>
    public ApplicationCommandLine WithCommand(Func<NodeStarter, Command> command)
    {
        ArgumentNullException.ThrowIfNull(command);
        _commands.Add(command);
        return this;
    }

    /// <summary>
    /// Adds what <c>verify</c> compares besides events, state stores and read models. It is called when these have been compared, while the
    /// node is at rest; what it finds it writes to standard output.
    /// </summary>
    /// <param name="verify">Compares, and returns whether all agrees.</param>
    /// <param name="options">The options that it reads of the command line.</param>
    public ApplicationCommandLine WithVerification(Func<ParseResult, EventSourcedNode, CancellationToken, Task<bool>> verify,
        params ReadOnlySpan<Option> options)
    {
        ArgumentNullException.ThrowIfNull(verify);
        _verifications.Add(new Verification(verify, [.. options]));
        return this;
    }

    /// <summary>Runs the command line <paramref name="args"/> and returns the exit code: 0 done, 1 failed, 2 wrong usage.</summary>
    /// <exception cref="InvalidOperationException">The application cannot be built
    /// (<see cref="EventSourcedApplication.Build"/>).</exception>
    public Task<int> RunAsync(string[] args)
    {
        ApplicationDefinition application = _application.Build();
        var root = new RootCommand(application.Summary);
        var starter = new NodeStarter(application, _application.Embedded);
        foreach (Func<NodeStarter, Command> command in _commands)
            root.Subcommands.Add(command(starter));
        root.Subcommands.Add(RunCommand.Create(starter));
        root.Subcommands.Add(VerifyCommand.Create(starter, _verifications));
        root.Subcommands.Add(SchemaCheckCommand.Create(starter));
        return CommandLineRunner.RunAsync(root, args);
    }
}

/// <summary>What <c>verify</c> compares besides.</summary>
internal sealed record Verification(Func<ParseResult, EventSourcedNode, CancellationToken, Task<bool>> Verify,
    IReadOnlyList<Option> Options);
