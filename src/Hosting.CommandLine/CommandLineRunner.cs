using System.CommandLine;
using System.CommandLine.Invocation;
using System.Reflection;
using System.Runtime.InteropServices;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>
/// Runs a command line: errors in plain words on standard error, exit codes 0, 1 and 2, and Ctrl-C or SIGTERM as cancellation.
/// </summary>
public static class CommandLineRunner
{
    // A text that begins with @ is text: a response file would replace it by what is in a file of that name.
    private static readonly ParserConfiguration Parser = new() { ResponseFileTokenReplacer = null };

    /// <summary>Parses <paramref name="args"/>, runs the command that they name, and returns the exit code.</summary>
    public static async Task<int> RunAsync(RootCommand root, string[] args)
    {
        ArgumentNullException.ThrowIfNull(root);
        foreach (VersionOption version in root.Options.OfType<VersionOption>())
            version.Action = new VersionAction();
        ParseResult result = root.Parse(args, Parser);
        // --help behind what there is not would show the help of something else, and look as if all was well.
        string[] wrong = [.. result.Errors.Select(e => e.Message).DefaultIfEmpty(result.UnmatchedTokens.Count > 0
            ? $"Unrecognized command or argument '{result.UnmatchedTokens[0]}'."
            : "").Where(e => e.Length > 0)];
        if (wrong.Length > 0)
        {
            foreach (string error in wrong)
                await Console.Error.WriteLineAsync(Secrets.Redact(WithoutType(error))).ConfigureAwait(false);
            await Console.Error
                .WriteLineAsync($"'{string.Join(' ', PathOf(result.CommandResult))} --help' tells how to use it.").ConfigureAwait(false);
            return ExitCodes.WrongUsage;
        }

        using var stop = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
        try
        {
            return await result.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null,
            }, stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("Stopped before it was done.").ConfigureAwait(false);
            return ExitCodes.Failed;
        }
        catch (Exception failed)
        {
            (int exitCode, string message) = Failure.Of(failed);
            await Console.Error.WriteLineAsync(Secrets.Redact(message)).ConfigureAwait(false);
            return exitCode;
        }

        void Cancel(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }

    // "Cannot parse argument 'abc' for option '--limit' as expected type 'System.Nullable`1[System.Int64]'.": the type is nothing for a
    // user.
    private static string WithoutType(string message) =>
        message.IndexOf(" as expected type '", StringComparison.Ordinal) is >= 0 and int type ? $"{message[..type]}." : message;

    private static IEnumerable<string> PathOf(System.CommandLine.Parsing.CommandResult command) =>
        command.Parent is System.CommandLine.Parsing.CommandResult parent
            ? PathOf(parent).Append(command.Command.Name)
            : [command.Command.Name];

    private sealed class VersionAction : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            Assembly program = Assembly.GetEntryAssembly() ?? typeof(CommandLineRunner).Assembly;
            Console.WriteLine(program.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
                ?? program.GetName().Version?.ToString());
            Console.WriteLine(KafkaLibrary.Description);
            return ExitCodes.Done;
        }
    }
}
