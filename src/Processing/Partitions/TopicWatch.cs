using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Looks every few seconds whether the topics of the partitions that this node serves are those that it left. A writer learns of it with
/// its next event; without one nobody would.
/// </summary>
internal sealed partial class TopicWatch : IAsyncDisposable
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(5);

    private readonly PartitionContext _context;
    private readonly Func<IReadOnlyCollection<PartitionTask>> _tasks;
    private readonly Action<KafkaException> _joinAgain;
    private readonly CancellationTokenSource _stop = new();
    private readonly CutLogs _cut;
    private string? _missing;

    /// <summary>
    /// Starts watching for <paramref name="tasks"/>; <paramref name="joinAgain"/> has them begin anew, as the command topic is another one.
    /// </summary>
    public TopicWatch(PartitionContext context, Func<IReadOnlyCollection<PartitionTask>> tasks, Action<KafkaException> joinAgain)
    {
        (_context, _tasks, _joinAgain, _cut) = (context, tasks, joinAgain, new CutLogs(context.Time));
        Completion = Task.Run(Run);
    }

    /// <summary>Ends after disposal, or faults with what stopped it.</summary>
    public Task Completion { get; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // told by Completion
        _stop.Dispose();
    }

    private async Task Run()
    {
        using IAdminClient admin = new DependentAdminClientBuilder(_context.Consumer.Handle).Build();
        using var timer = new PeriodicTimer(_context.Options.TopicCheckInterval, _context.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                try
                {
                    await Look(admin).ConfigureAwait(false);
                }
                catch (KafkaException away)
                {
                    LogNotSeen(_context.Logger, away, _context.Topics.Events);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task Look(IAdminClient admin)
    {
        // First: what a task has appended by now is before the ends that are asked for below.
        (PartitionTask Task, TopicIdentities Topics, long Next)[] watched =
            [.. _tasks().Select(t => (Task: t, t.Topics, Next: t.NextOffset)).Where(t => t is { Topics: not null, Next: >= 0 }).Select(t =>
                (t.Task, t.Topics!, t.Next))];
        if (watched.Length == 0)
            return;
        string[] names = TopicIdentities.NamesOf(_context);
        IReadOnlyDictionary<string, TopicId> ids = await TopicIds.OfAsync(admin, names, TimeSpan.Zero, _stop.Token).ConfigureAwait(false);
        string? missing = Array.Find(names, n => !ids.ContainsKey(n));
        if (missing is not null && missing != _missing)
            LogMissing(_context.Logger, missing);
        _missing = missing;
        TopicIdentities now = TopicIdentities.From(_context.Topics, ids);
        foreach ((PartitionTask task, TopicIdentities topics, _) in watched)
        {
            if (AnotherLog(task, topics, now) is { } another)
                task.Halt(another);
            else if (topics.Snapshots.Differs(now.Snapshots))
                task.LoseSnapshots(now.Snapshots);
        }

        if (ids.ContainsKey(_context.Topics.Events))
            await LookAtEnds(admin, names, watched).ConfigureAwait(false);
        if (Array.Exists(watched, w => w.Topics.Commands.Differs(now.Commands)))
            _joinAgain(new KafkaException(new Error(ErrorCode.UnknownTopicOrPart,
                $"The topic {_context.Topics.Commands} was deleted and made again.")));
    }

    // Null: it is the log that the task left.
    private UnexpectedLogException? AnotherLog(PartitionTask task, TopicIdentities topics, TopicIdentities now)
    {
        try
        {
            topics.Check(now, _context.Topics, task.Partition, "the state");
            return null;
        }
        catch (UnexpectedLogException another)
        {
            return another;
        }
    }

    private async Task LookAtEnds(IAdminClient admin, string[] names, (PartitionTask Task, TopicIdentities Topics, long Next)[] watched)
    {
        string topic = _context.Topics.Events;
        IReadOnlyDictionary<int, long> byPartition = await PartitionOffsets.ListAsync(
            admin, [.. watched.Select(w => new TopicPartition(topic, w.Task.Partition))], OffsetSpec.Latest(), RequestTimeout,
            _stop.Token).ConfigureAwait(false);
        (PartitionTask Task, TopicIdentities Topics, long Next)[] lost = [.. watched.Where(w =>
            byPartition.TryGetValue(w.Task.Partition, out long end) && _cut.HasLost(w.Task.Partition, w.Next, end))];
        if (lost.Length == 0)
            return;
        // One that was made again between the two looks has lost its events too, and is told as what it is.
        TopicIdentities now = TopicIdentities.From(_context.Topics,
            await TopicIds.OfAsync(admin, names, TimeSpan.Zero, _stop.Token).ConfigureAwait(false));
        foreach ((PartitionTask task, TopicIdentities topics, long next) in lost)
            task.Halt(AnotherLog(task, topics, now) ?? new UnexpectedLogException(topic,
                $"The topic {topic} ends at offset {byPartition[task.Partition]} in partition {task.Partition}, and had {next} before: it "
                    + "has lost events."));
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Whether the topics of {Topic} are those before could not be seen; it is looked again later")]
    private static partial void LogNotSeen(ILogger logger, Exception failure, string topic);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "The topic {Topic} is not there any more: nothing that needs it can be decided or answered")]
    private static partial void LogMissing(ILogger logger, string topic);
}
