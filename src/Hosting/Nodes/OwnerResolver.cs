using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Hosting.Nodes;

/// <summary>
/// One call's search for the node that owns its partition: it asks the owner that is known, follows where it is told to go, and turns to
/// the new owner when one is published while the old one does not answer. Used by one call.
/// </summary>
internal sealed class OwnerResolver(OwnerDirectory owners, string self, int partition, TimeSpan timeout, TimeProvider time)
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(500);

    private readonly long _started = time.GetTimestamp();
    private TimeSpan _wait = FirstWait;
    private long _askedGeneration = -1;
    private string? _toldBy; // the node that has told the reason

    /// <summary>What is left of the call's time.</summary>
    public TimeSpan Left => timeout - time.GetElapsedTime(_started) is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    /// <summary>Why nobody has answered so far.</summary>
    public string Reason { get; private set; } = $"Partition {partition} has no owner that can be reached.";

    /// <summary>The node to ask now; null: none that serves and can be reached is known.</summary>
    public PartitionOwnership? Owner =>
        owners.Find(partition) is { Status: OwnerStatus.Serving, Address: not null } owner && owner.Node != self ? owner : null;

    /// <summary>Asks <paramref name="owner"/> for at most what is left of the time, or until another node has become the owner.</summary>
    public async Task<NodeResponse<T>> Ask<T>(PartitionOwnership owner, Func<CancellationToken, Task<NodeResponse<T>>> ask,
        CancellationToken cancellationToken)
    {
        _askedGeneration = owner.Generation;
        using var late = new CancellationTokenSource(Left, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        Task<NodeResponse<T>> answering = ask(stop.Token);
        Task moved = Moved(owner, stop.Token);
        NodeResponse<T> answer;
        try
        {
            if (await Task.WhenAny(answering, moved).ConfigureAwait(false) == moved && !answering.IsCompleted)
                await stop.CancelAsync().ConfigureAwait(false);
            answer = await answering.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // What the node has told before says more than that the time is up.
            answer = new NodeResponse<T>.Unavailable(_toldBy == owner.Node ? Reason : $"The node {owner.Node} did not answer in time.");
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await moved.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        switch (answer)
        {
            case NodeResponse<T>.Elsewhere elsewhere:
                Reason = $"The node {owner.Node} does not own partition {partition} any more.";
                if (elsewhere.Owner is { } told)
                    owners.Learn(told);
                break;
            case NodeResponse<T>.Unavailable unavailable:
                Reason = unavailable.Message;
                _toldBy = owner.Node;
                break;
            case NodeResponse<T>.Answered or NodeResponse<T>.Overloaded:
                break;
        }

        return answer;
    }

    /// <summary>Remembers why this node could not answer itself.</summary>
    public void Note(string reason) => Reason = reason;

    /// <summary>Whether an owner is published that was not asked yet.</summary>
    public bool HasNews => owners.Find(partition) is { } owner && owner.Generation > _askedGeneration;

    /// <summary>Waits until another owner is published, or a while with jitter; false when the time is up.</summary>
    public async Task<bool> Wait(CancellationToken cancellationToken)
    {
        if (Left <= TimeSpan.Zero)
            return false;
        TimeSpan wait = TimeSpan.FromTicks(Math.Min(Left.Ticks, (long)(_wait.Ticks * (0.5 + Random.Shared.NextDouble()))));
        _wait = TimeSpan.FromTicks(Math.Min(LongestWait.Ticks, _wait.Ticks * 2));
        try
        {
            await owners.AfterAsync(partition, owners.Find(partition)?.Generation ?? -1)
                .WaitAsync(wait, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Nothing has changed; the node that was asked may have recovered.
        }

        return Left > TimeSpan.Zero;
    }

    // The same owner publishing again has not moved: what it is asked goes on.
    private async Task Moved(PartitionOwnership owner, CancellationToken cancellationToken)
    {
        PartitionOwnership now = owner;
        while (now.Node == owner.Node)
            now = await owners.AfterAsync(partition, now.Generation).WaitAsync(cancellationToken).ConfigureAwait(false);
    }
}
