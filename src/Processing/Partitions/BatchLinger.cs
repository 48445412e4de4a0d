using System.Diagnostics;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Until when a batch waits for more: until so many commands have been added in all, or the time has come. The default does not wait.
/// </summary>
/// <param name="Added">How many commands the queue has been given, from its start on.</param>
/// <param name="Deadline">A timestamp of <see cref="Stopwatch"/>.</param>
internal readonly record struct Linger(long Added, long Deadline);

/// <summary>
/// How long the next batch waits for the callers that the one before has answered. Callers that send again at once would else fall into
/// groups that take turns, and each would wait for the transactions of the others. It is at most half of what a batch takes lately, and 5
/// ms. Where callers do not come back in that time, as others have come instead of them or none, it is tried again after 1, 3, 7 and so on
/// up to 63 batches. Belongs to the thread that takes batches.
/// </summary>
internal sealed class BatchLinger
{
    private const int MostPassed = 63;
    private const int Memory = 8; // batches
    private const int MayBeMissing = 8; // one caller of so many need not be waited for
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(5);

    private TimeSpan _lately;
    private int _pass;
    private int _passed;

    /// <summary>For the next batch.</summary>
    public Linger Next { get; private set; }

    /// <summary>A batch has ended.</summary>
    /// <param name="callers">How many callers it has answered.</param>
    /// <param name="added">How many commands the queue had been given before they were answered.</param>
    /// <param name="took">How long it took.</param>
    /// <param name="now">A timestamp of <see cref="Stopwatch"/>.</param>
    public void Answered(int callers, long added, TimeSpan took, long now)
    {
        _lately += (took - _lately) / Memory;
        TimeSpan most = _lately / 2 < Longest ? _lately / 2 : Longest;
        bool waits = callers > 0 && _passed >= _pass;
        _passed = waits ? 0 : _passed + 1;
        Next = waits
            ? new Linger(added + callers - (callers / MayBeMissing), now + (long)(most.TotalSeconds * Stopwatch.Frequency))
            : default;
    }

    /// <summary>The next batch has been taken; the queue had been given <paramref name="added"/> commands by then.</summary>
    public void Took(long added)
    {
        if (Next != default)
            _pass = added >= Next.Added ? 0 : Math.Min((_pass * 2) + 1, MostPassed);
    }
}
