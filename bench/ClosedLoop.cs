using System.Diagnostics;
using System.Globalization;
using KafkaEventSourcing.Hosting.Load;

namespace KafkaEventSourcing.Bench;

/// <summary>Callers that each send the next call when the one before is answered.</summary>
internal static class ClosedLoop
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(0.5);
    private const int CallsPerTurn = 64;
    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Has <paramref name="callers"/> call for a while, <paramref name="runs"/> times, and prints rate and latencies of the run with the
    /// median rate.
    /// </summary>
    /// <returns>That rate, in calls a second.</returns>
    public static async Task<double> Measure(string name, int callers, int runs, Func<Random, CancellationToken, Task> call,
        double? reference = null)
    {
        var measured = new List<(double Rate, LatencyHistogram Latency)>();
        for (int run = 0; run < runs; run++)
        {
            await Run(callers, WarmUp, new LatencyHistogram(), call).ConfigureAwait(false);
            var latency = new LatencyHistogram();
            double seconds = await Run(callers, Measured, latency, call).ConfigureAwait(false);
            measured.Add((latency.Count / seconds, latency));
        }

        measured.Sort((a, b) => a.Rate.CompareTo(b.Rate));
        (double rate, LatencyHistogram of) = measured[runs / 2];
        string ratio = reference is { } whole ? string.Create(CultureInfo.InvariantCulture, $"  = {rate / whole:0.00} ×") : "";
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name,-34} {callers,4} callers {rate,9:N0}/s ({measured[0].Rate:N0} … {measured[^1].Rate:N0})  p50 {Milliseconds(of, 0.5)}  "
                + $"p99 {Milliseconds(of, 0.99)}  p99.9 {Milliseconds(of, 0.999)} ms{ratio}"));
        return rate;
    }

    private static async Task<double> Run(int callers, TimeSpan duration, LatencyHistogram latency,
        Func<Random, CancellationToken, Task> call)
    {
        long started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
        {
            var random = new Random(caller);
            // A call that is done at once would keep its thread, and the servers of this process have the same ones.
            for (int calls = 0; Stopwatch.GetElapsedTime(started) < duration; calls++)
            {
                if (calls % CallsPerTurn == CallsPerTurn - 1)
                    await Task.Yield();
                long sent = Stopwatch.GetTimestamp();
                await call(random, CancellationToken.None).ConfigureAwait(false);
                latency.Record(Stopwatch.GetElapsedTime(sent));
            }
        }))).ConfigureAwait(false);
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static string Milliseconds(LatencyHistogram latency, double quantile) =>
        latency.Quantile(quantile).TotalMilliseconds.ToString("0.00", CultureInfo.InvariantCulture).PadLeft(7);
}
