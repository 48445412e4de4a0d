using System.Runtime.CompilerServices;

namespace KafkaEventSourcing;

/// <summary>
/// The history of aggregates of one type, page by page, and what they were: the fold of a part of it. Reads cost as much as the aggregate
/// has events, however many the log has. Thread-safe as the reader is.
/// </summary>
/// <param name="definition">The aggregate type, which evolves states.</param>
/// <param name="reader">Reads pages.</param>
public sealed class AggregateHistory(AggregateDefinition definition, IAggregateReader reader)
{
    /// <summary>
    /// The events of an aggregate from <paramref name="fromVersion"/> on, to the newest at the time of the call, in the order of their
    /// versions; none when it has none. Events that were discarded or whose type is withdrawn are passed over.
    /// </summary>
    /// <exception cref="InvalidInputException"><paramref name="fromVersion"/> is below 1.</exception>
    /// <exception cref="HistoryGoneException">The log does not have them any more.</exception>
    /// <exception cref="AggregateUnavailableException">Nobody who could answer did in time.</exception>
    /// <exception cref="InvalidDataException">An event cannot be read.</exception>
    public async IAsyncEnumerable<RecordedEvent> EventsAsync(AggregateId aggregateId, long fromVersion = 1,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (HistoryEntry entry in EntriesAsync(aggregateId, fromVersion, null, cancellationToken).ConfigureAwait(false))
        {
            foreach (RecordedEvent recorded in entry.Events)
                yield return recorded;
        }
    }

    /// <summary>
    /// The versions of an aggregate from <paramref name="first"/> to <paramref name="last"/>, both included; null: to the newest at the
    /// time of the call.
    /// </summary>
    /// <inheritdoc cref="EventsAsync"/>
    public async IAsyncEnumerable<HistoryEntry> EntriesAsync(AggregateId aggregateId, long first, long? last,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        long? next = first;
        long? end = null;
        while (next is { } from && !(from > (end ?? last)))
        {
            var query = new HistoryQuery { From = from, Limit = Limit(from, end ?? last) };
            if (await PageAsync(aggregateId, query, end, cancellationToken).ConfigureAwait(false) is not { } page)
                yield break;
            end ??= Math.Min(last ?? page.Version, page.Version);
            foreach (HistoryEntry entry in page.Entries)
            {
                if (entry.Version <= end)
                    yield return entry;
            }

            next = page.Next;
        }
    }

    /// <summary>
    /// The aggregate as it was after the event of <paramref name="version"/>; null: it has none, as it is not there or has not come as far.
    /// </summary>
    /// <exception cref="InvalidInputException"><paramref name="version"/> is below 1.</exception>
    /// <exception cref="HistoryGoneException">The log does not have the events any more.</exception>
    /// <exception cref="AggregateUnavailableException">Nobody who could answer did in time.</exception>
    /// <exception cref="InvalidDataException">An event cannot be read or folded.</exception>
    public async ValueTask<AggregateView?> ReadVersionAsync(AggregateId aggregateId, long version,
        CancellationToken cancellationToken = default)
    {
        if (version < 1)
            throw new InvalidInputException("version", $"version is {version}; versions begin at 1.");
        AggregateView? view = null;
        object state = definition.InitialState;
        await foreach (HistoryEntry entry in EntriesAsync(aggregateId, 1, version, cancellationToken).ConfigureAwait(false))
        {
            state = Evolve(state, entry);
            if (entry.Version == version)
                view = new AggregateView(aggregateId, version, state, entry.Token);
        }

        return view;
    }

    /// <summary>
    /// The aggregate as of <paramref name="time"/>: after the newest event whose time is not later; null: there was none. Events have the
    /// times of their commands, which senders may say; of events that are not in the order of their times, those before the newest one
    /// count whatever their times are.
    /// </summary>
    /// <inheritdoc cref="ReadVersionAsync"/>
    public async ValueTask<AggregateView?> ReadAsOfAsync(AggregateId aggregateId, DateTimeOffset time,
        CancellationToken cancellationToken = default)
    {
        long? from = null;
        long? version = null;
        do
        {
            var query = new HistoryQuery { From = from, IsDescending = true, Limit = HistoryQuery.MaxLimit };
            if (await PageAsync(aggregateId, query, version, cancellationToken).ConfigureAwait(false) is not { } page)
                return null;
            if (page.Entries.FirstOrDefault(e => e.Time <= time) is { } newest)
                return await ReadVersionAsync(aggregateId, newest.Version, cancellationToken).ConfigureAwait(false);
            version ??= page.Version;
            from = page.Next;
        }
        while (from is not null);
        return null;
    }

    /// <summary>The state after <paramref name="entry"/>, of the one before it.</summary>
    /// <exception cref="InvalidDataException">An event cannot be folded.</exception>
    public object Evolve(object state, HistoryEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        foreach (RecordedEvent recorded in entry.Events)
        {
            try
            {
                state = definition.Evolve(state, recorded.Payload);
            }
            catch (Exception failure) when (failure is not OutOfMemoryException)
            {
                throw new InvalidDataException(
                    $"Version {recorded.Version} of the {definition.Name} '{recorded.AggregateId}' cannot be folded: {failure.Message}",
                    failure);
            }
        }

        return state;
    }

    // What is there when the first page is read is there for the others too, which need no proof of their own: but for an owner that was
    // deposed meanwhile and does not know yet.
    private async ValueTask<HistoryPage?> PageAsync(AggregateId aggregateId, HistoryQuery query, long? known,
        CancellationToken cancellationToken)
    {
        if (known is { } version)
        {
            HistoryPage? page = await reader.ReadHistoryAsync(aggregateId, query with { Consistency = ReadConsistency.Eventual },
                cancellationToken).ConfigureAwait(false);
            if (page?.Version >= version)
                return page;
        }

        return await reader.ReadHistoryAsync(aggregateId, query, cancellationToken).ConfigureAwait(false);
    }

    private static int Limit(long from, long? last) =>
        last is { } end ? (int)Math.Min(HistoryQuery.MaxLimit, end - from + 1) : HistoryQuery.MaxLimit;
}
