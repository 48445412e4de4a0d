using System.CommandLine;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Hosting;

/// <summary>Makes a program of an application.</summary>
public static class CommandLineExtensions
{
    /// <summary>Adds a command of the application's own to its command line.</summary>
    public static ApplicationCommandLine WithCommand(this EventSourcedApplication application, Func<NodeStarter, Command> command)
    {
        ArgumentNullException.ThrowIfNull(application);
        return new ApplicationCommandLine(application).WithCommand(command);
    }

    /// <summary>
    /// Gives the application a command line (<c>run</c>, <c>verify</c>) and an HTTP interface, runs <paramref name="args"/>, and returns
    /// the exit code: 0 done, 1 failed, 2 wrong usage.
    /// </summary>
    /// <exception cref="InvalidOperationException">The application cannot be built
    /// (<see cref="EventSourcedApplication.Build"/>).</exception>
    public static Task<int> RunAsync(this EventSourcedApplication application, string[] args)
    {
        ArgumentNullException.ThrowIfNull(application);
        return new ApplicationCommandLine(application).RunAsync(args);
    }
}
