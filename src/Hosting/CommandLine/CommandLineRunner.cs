using System.CommandLine;
using System.CommandLine.Parsing;
using System.Runtime.InteropServices;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>Runs a command line: errors in plain words on standard error, exit codes 0, 1 and 2, and Ctrl-C or SIGTERM as cancellation.</summary>
public static class CommandLineRunner
{
    /// <summary>Parses <paramref name="args"/>, runs the command that they name, and returns the exit code.</summary>
    public static async Task<int> Run(RootCommand root, string[] args)
    {
        ParseResult result;
        try
        {
            result = root.Parse(args);
        }
        catch (InvalidOperationException unreadable) // out of a validator that asks for the value, before the parser has told that there is none
        {
            await Console.Error.WriteLineAsync(WithoutType(unreadable.Message)).ConfigureAwait(false);
            await Console.Error.WriteLineAsync("'--help' behind the command tells how to use it.").ConfigureAwait(false);
            return ExitCodes.WrongUsage;
        }

        if (result.Errors.Count > 0)
        {
            foreach (ParseError error in result.Errors)
                await Console.Error.WriteLineAsync(WithoutType(error.Message)).ConfigureAwait(false);
            await Console.Error.WriteLineAsync($"'{string.Join(' ', PathOf(result.CommandResult))} --help' tells how to use it.").ConfigureAwait(false);
            return ExitCodes.WrongUsage;
        }

        using var stop = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
        try
        {
            return await result.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("Stopped before it was done.").ConfigureAwait(false);
            return ExitCodes.Failed;
        }
        catch (InvalidInputException invalid)
        {
            await Console.Error.WriteLineAsync(invalid.Message).ConfigureAwait(false);
            return ExitCodes.WrongUsage;
        }
        catch (CommandFailedException failed)
        {
            await Console.Error.WriteLineAsync(failed.Message).ConfigureAwait(false);
            return ExitCodes.Failed;
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException or TimeoutException or ReadModelsStoppedException or EventLog.LogRefusedException)
        {
            await Console.Error.WriteLineAsync(failed.Message).ConfigureAwait(false);
            return ExitCodes.Failed;
        }
        catch (Exception fault)
        {
            await Console.Error.WriteLineAsync($"This should not have happened: {fault}").ConfigureAwait(false);
            return ExitCodes.Failed;
        }

        void Cancel(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }

    // "Cannot parse argument 'abc' for option '--limit' as expected type 'System.Nullable`1[System.Int64]'.": the type is nothing for a user.
    private static string WithoutType(string message) => message.IndexOf(" as expected type '", StringComparison.Ordinal) is >= 0 and int type ? $"{message[..type]}." : message;

    private static IEnumerable<string> PathOf(System.CommandLine.Parsing.CommandResult command) =>
        command.Parent is System.CommandLine.Parsing.CommandResult parent ? PathOf(parent).Append(command.Command.Name) : [command.Command.Name];
}
