using System.Diagnostics;
using System.Globalization;

namespace KafkaEventSourcing.Bench;

/// <summary>Streams of one kind over the bank's events, with a folder and an application id of their own.</summary>
internal abstract class StreamsUnderTest(BenchServers servers, string whose, string kind, bool exactlyOnce, int run) : IAsyncDisposable
{
    /// <summary>How often it is looked at.</summary>
    protected static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    /// <summary>fold, totals or types.</summary>
    public string Kind => kind;

    /// <summary>The guarantee.</summary>
    public bool ExactlyOnce => exactlyOnce;

    /// <summary>The application id.</summary>
    protected string Name { get; } = string.Create(CultureInfo.InvariantCulture,
        $"{whose}-{kind}-{(exactlyOnce ? "exactly" : "least")}-{run}");

    /// <summary>The folder of its stores.</summary>
    protected string Folder => Path.Combine(servers.Folder, Name);

    /// <summary>How many events it has processed.</summary>
    protected abstract long Processed();

    /// <summary>Starts over the same topics and folder.</summary>
    protected abstract Task Start(CancellationToken cancellationToken);

    /// <summary>Starts over the same topics and an empty folder, until the stores are there.</summary>
    protected abstract Task<Figures> Refill(CancellationToken cancellationToken);

    /// <summary>Ends it, if it runs.</summary>
    protected abstract Task End();

    /// <summary>From the first event to the last one of <paramref name="events"/>.</summary>
    public async Task<Figures> Process(long events, CancellationToken cancellationToken)
    {
        await Start(cancellationToken).ConfigureAwait(false);
        using var timer = new PeriodicTimer(Look);
        long before;
        while ((before = Processed()) == 0)
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        var begin = Figures.Now;
        while (Processed() < events)
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        return Figures.Since(begin, events - before);
    }

    /// <summary>Ends it, deletes its folder, and starts it again until the stores are there.</summary>
    public async Task<Figures> Restore(CancellationToken cancellationToken)
    {
        await End().ConfigureAwait(false);
        Directory.Delete(Folder, recursive: true);
        return await Refill(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await End().ConfigureAwait(false);
        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
    }

    /// <summary>What so many records took.</summary>
    internal readonly record struct Figures(long Count, TimeSpan Time, TimeSpan Cpu, long Bytes)
    {
        public static (long Time, TimeSpan Cpu, long Bytes) Now =>
            (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes());

        public static Figures Since((long Time, TimeSpan Cpu, long Bytes) begin, long count) => new(Math.Max(1, count),
            Stopwatch.GetElapsedTime(begin.Time), Environment.CpuUsage.TotalTime - begin.Cpu,
            GC.GetTotalAllocatedBytes() - begin.Bytes);
    }
}
