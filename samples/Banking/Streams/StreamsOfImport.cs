using System.CommandLine;
using System.Globalization;
using Banking.Ledger;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Streamiz;

namespace Banking.Streams;

/// <summary>The streams beside an import, in its process, where they are asked for.</summary>
internal sealed class StreamsOfImport : IAsyncDisposable
{
    private readonly EventStreamsRunner _runner;
    private readonly EventStreamsReader _reader;
    private readonly TimeProvider _time;

    private StreamsOfImport(EventStreamsRunner runner, EventStreamsReader reader, TimeProvider time) =>
        (_runner, _reader, _time) = (runner, reader, time);

    /// <summary>Asks for them.</summary>
    public static Option<bool> Option { get; } = new("--streams")
    {
        Description = "run the streams beside it, wait until they have read all, and compare the figures with their topics too",
    };

    /// <summary>Starts them; null: they are not asked for.</summary>
    public static StreamsOfImport? Start(NodeHandle running, ParseResult result, NodeStarter starter)
    {
        if (!result.GetValue(Option))
            return null;
        (string application, ServerAddresses servers) = (starter.Application.Name, running.Node.Addresses);
        string data = Path.GetFullPath(result.GetValue(starter.Options.Data) ?? Path.Combine("data", application));
        return new StreamsOfImport(
            EventStreamsRunner.Start(BankStreams.Definition, application, StreamServers.Of(servers, data), new EventStreamsOptions(),
                running.Loggers, starter.Time),
            StreamServers.Reader(application, servers), starter.Time);
    }

    /// <summary>
    /// Waits until <paramref name="streams"/> have read all, and compares; true: there are none, or they have all figures.
    /// </summary>
    public static async Task<bool> CompareAsync(StreamsOfImport? streams, ExpectedFigures? figures, CancellationToken cancellationToken)
    {
        if (streams is null)
            return true;
        await streams.WaitUntilRead(cancellationToken).ConfigureAwait(false);
        if (figures is null)
            return true;
        IReadOnlyList<string> differences = figures.DifferencesFrom("the streams have",
            (await FiguresOfStreams.ReadAsync(streams._reader, cancellationToken).ConfigureAwait(false)).InWords());
        foreach (string difference in differences)
            Console.WriteLine(difference);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{figures.Count - differences.Count:N0} of {figures.Count:N0} expected figures are those of the streams."));
        return differences.Count == 0;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _runner.DisposeAsync().ConfigureAwait(false);
        _reader.Dispose();
    }

    private async Task WaitUntilRead(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task read = WhenTheyHaveTopics(stop.Token);
        if (await Task.WhenAny(read, _runner.Completion).ConfigureAwait(false) == read)
        {
            await read.ConfigureAwait(false);
            return;
        }

        await stop.CancelAsync().ConfigureAwait(false);
        await _runner.Completion.ConfigureAwait(false);
    }

    private async Task WhenTheyHaveTopics(CancellationToken cancellationToken)
    {
        await _runner.WaitForRestoreAsync(cancellationToken).ConfigureAwait(false);
        await _reader.WaitUntilReadAsync(_time, cancellationToken).ConfigureAwait(false);
    }
}
