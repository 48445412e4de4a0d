using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>
/// Shows long work: a bar with rate and time left on a terminal, a plain line every few seconds otherwise (a log, a pipe). Lines go to
/// standard error, so that standard output holds results only.
/// </summary>
public static class Progress
{
    private static readonly TimeSpan BarInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(2);

    /// <summary>Runs <paramref name="work"/> and shows how far it is.</summary>
    /// <param name="what">What is being done, such as <c>importing movements</c>.</param>
    /// <param name="unit">What is counted, in the plural.</param>
    /// <param name="total">How many there will be; null when it is not known.</param>
    /// <param name="done">How many are done; called from another thread.</param>
    /// <param name="work">The work.</param>
    /// <param name="timeProvider">The clock of the refreshes.</param>
    public static async Task ShowAsync(string what, string unit, long? total, Func<long> done, Func<Task> work, TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(work);
        if (IsTerminal)
            await ShowBar(what, unit, total, done, work, timeProvider).ConfigureAwait(false);
        else
            await ShowLines(what, unit, total, done, work, timeProvider).ConfigureAwait(false);
    }

    private static bool IsTerminal => !Console.IsErrorRedirected && AnsiConsole.Console.Profile.Capabilities.Interactive;

    private static async Task ShowBar(string what, string unit, long? total, Func<long> done, Func<Task> work, TimeProvider timeProvider)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        await console.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                long started = Stopwatch.GetTimestamp();
                ProgressTask task = context.AddTask(Markup.Escape(what), maxValue: total ?? double.MaxValue);
                task.IsIndeterminate = total is null;
                await Watch(work, BarInterval, timeProvider, () =>
                {
                    long count = done();
                    task.Value = count;
                    task.Description = Markup.Escape(
                        string.Create(CultureInfo.InvariantCulture, $"{what} {count:N0} {unit}, {Rate(count, started):N0}/s"));
                }).ConfigureAwait(false);
                task.Value = task.MaxValue;
            }).ConfigureAwait(false);
    }

    private static async Task ShowLines(string what, string unit, long? total, Func<long> done, Func<Task> work, TimeProvider timeProvider)
    {
        long started = Stopwatch.GetTimestamp();
        await Watch(work, LineInterval, timeProvider, () =>
        {
            long count = done();
            double rate = Rate(count, started);
            string left = total is { } all && rate > 0
                ? string.Create(CultureInfo.InvariantCulture,
                    $" of {all:N0} ({(double)count / Math.Max(1, all):P0}), {Math.Max(0, all - count) / rate:N0} s left")
                : "";
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {count:N0}{left}; {rate:N0} {unit}/s"));
        }).ConfigureAwait(false);
    }

    private static async Task Watch(Func<Task> work, TimeSpan interval, TimeProvider timeProvider, Action show)
    {
        using var timer = new PeriodicTimer(interval, timeProvider);
        Task running = Task.Run(work);
        Task<bool> tick = timer.WaitForNextTickAsync().AsTask();
        while (await Task.WhenAny(running, tick).ConfigureAwait(false) != running)
        {
            show();
            tick = timer.WaitForNextTickAsync().AsTask();
        }

        await running.ConfigureAwait(false);
        show();
    }

    private static double Rate(long count, long started) => count / Math.Max(1e-3, Stopwatch.GetElapsedTime(started).TotalSeconds);
}
