using System.Diagnostics;
using System.Globalization;
using Streamiz.Kafka.Net;

namespace KafkaEventSourcing.Bench;

/// <summary>Streams of one kind over the bank's events, with a folder and an application id of their own.</summary>
internal abstract class StreamsUnderTest(BenchServers servers, string whose, string kind, bool exactlyOnce, int run) : IAsyncDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    private KafkaStream? _stream;

    /// <summary>fold, totals or types.</summary>
    public string Kind => kind;

    /// <summary>The guarantee.</summary>
    public bool ExactlyOnce => exactlyOnce;

    /// <summary>The application id.</summary>
    protected string Name { get; } = string.Create(CultureInfo.InvariantCulture,
        $"{whose}-{kind}-{(exactlyOnce ? "exactly" : "least")}-{run}");

    /// <summary>The folder of its stores.</summary>
    protected string Folder => Path.Combine(servers.Folder, Name);

    /// <summary>How many partitions it restores.</summary>
    protected abstract int Stores { get; }

    /// <summary>How many events it has processed.</summary>
    protected abstract long Processed(KafkaStream stream);

    /// <summary>A new stream over the same topics and folder.</summary>
    protected abstract KafkaStream Make();

    /// <summary>From the first event to the last one of <paramref name="events"/>.</summary>
    public async Task<Figures> Process(long events, CancellationToken cancellationToken)
    {
        _stream = Make();
        await _stream.StartAsync().ConfigureAwait(false);
        using var timer = new PeriodicTimer(Look);
        long before;
        while ((before = Processed(_stream)) == 0)
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        var begin = Figures.Now;
        while (Processed(_stream) < events)
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        return Figures.Since(begin, events - before);
    }

    /// <summary>Ends it, deletes its folder, and starts it again until the stores are there.</summary>
    public async Task<Figures> Restore(CancellationToken cancellationToken)
    {
        await End().ConfigureAwait(false);
        Directory.Delete(Folder, recursive: true);
        _stream = Make();
        var restored = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        long records = 0;
        int left = Stores;
        (long, TimeSpan, long)? begin = null;
        _stream.OnRestoreStartEvent += (_, _, _, _) => begin ??= Figures.Now;
        _stream.OnRestoreBatchEvent += (_, _, _, count) => Interlocked.Add(ref records, count);
        _stream.OnRestoreEndEvent += (_, _, _) =>
        {
            if (Interlocked.Decrement(ref left) == 0)
                restored.TrySetResult();
        };
        await _stream.StartAsync().ConfigureAwait(false);
        await restored.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        return Figures.Since(begin!.Value, records);
    }

    public async ValueTask DisposeAsync()
    {
        await End().ConfigureAwait(false);
        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
    }

    private async Task End()
    {
        if (_stream is { } stream)
            await Task.Factory.StartNew(stream.Dispose, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                .ConfigureAwait(false);
        _stream = null;
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
