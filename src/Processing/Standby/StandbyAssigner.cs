using System.Collections.Concurrent;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Keeps this node's copies of partitions that others own. It looks at the group every few seconds, and places copies by
/// <see cref="StandbyPlacement"/>. A store is open once: before the partition task opens it, <see cref="Yield"/> closes the copy.
/// Thread-safe.
/// </summary>
internal sealed partial class StandbyAssigner : IAsyncDisposable
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan AdminTimeout = TimeSpan.FromSeconds(5);
    private const string Stable = "Stable";

    private readonly PartitionContext _context;
    private readonly string _group;
    private readonly int _partitions;
    private readonly Func<int, bool> _isOwned;
    private readonly ConcurrentDictionary<int, StandbyTask> _tasks = [];
    private readonly Dictionary<int, (int Failures, long At)> _failed = []; // of the looking loop
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _looking;

    /// <summary>Starts keeping. <paramref name="isOwned"/> tells whether this node has the partition itself.</summary>
    public StandbyAssigner(PartitionContext context, string group, int partitions, Func<int, bool> isOwned)
    {
        (_context, _group, _partitions, _isOwned) = (context, group, partitions, isOwned);
        _looking = context.Options.Standbys == 0 ? Task.CompletedTask : Task.Run(Look);
    }

    /// <summary>Ends after disposal, or faults with what stopped it.</summary>
    public Task Completion => _looking;

    /// <summary>How many copies there are here.</summary>
    public int Count => _tasks.Count;

    /// <summary>The copy of <paramref name="partition"/>; null when there is none here.</summary>
    public StandbyTask? Find(int partition) => _tasks.GetValueOrDefault(partition);

    /// <summary>
    /// Closes the copy of <paramref name="partition"/>, which this node owns from now on; the store is free when it returns.
    /// </summary>
    public void Yield(int partition)
    {
        lock (_lock) // until it is closed: nobody may believe that the store is free before
        {
            if (!_tasks.TryGetValue(partition, out StandbyTask? task))
                return;
            task.Stop();
            task.Completion.GetAwaiter().GetResult();
            _tasks.TryRemove(partition, out _);
            task.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _looking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // told by Completion
        foreach (int partition in _tasks.Keys)
            Yield(partition);
        _stop.Dispose();
    }

    private async Task Look()
    {
        using IAdminClient admin = new AdminClientBuilder(_context.Connection.Admin()).SetLogHandler((_, line) =>
            KafkaConnection.Log(_context.Logger, line)).SetErrorHandler((_, _) => { }).Build();
        using var timer = new PeriodicTimer(LookInterval, _context.Time);
        try
        {
            do
            {
                try
                {
                    // Not DescribeConsumerGroups: in librdkafka that request ends the process by a failed assertion
                    // (rd_kafka_enq_once_del_source_return) when it times out while connections come and go.
                    GroupInfo group = await Task.Run(() => admin.ListGroup(_group, AdminTimeout)).ConfigureAwait(false);
                    // In the middle of a rebalance nobody's assignment is known; the copies stay where they are.
                    if (group is { State: Stable })
                        Place(group.Members);
                }
                catch (KafkaException away)
                {
                    LogAway(away);
                }
            }
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private void Place(List<GroupMemberInfo> members)
    {
        IReadOnlyList<int> kept = StandbyPlacement.PartitionsOf(
            _context.Node.Id,
            [.. members.Select(m =>
                new GroupMember(m.MemberId, m.ClientId,
                    [.. GroupAssignment.PartitionsOf(_context.Topics.Commands, m.MemberAssignment).Where(p => p < _partitions)]))],
            _partitions,
            _context.Options.Standbys);
        foreach ((int partition, StandbyTask task) in _tasks)
        {
            if (task.Completion.IsCompleted)
                Remember(partition, task);
            else if (task.IsWarm)
                _failed.Remove(partition); // it has recovered
            if (task.Completion.IsCompleted || !kept.Contains(partition))
                Yield(partition);
        }

        foreach (int partition in kept.Where(IsDue))
        {
            lock (_lock)
            {
                if (!_isOwned(partition) && !_stop.IsCancellationRequested && !_tasks.ContainsKey(partition))
                    _tasks[partition] = new StandbyTask(_context, partition);
            }
        }
    }

    // What ended a copy, such as an event that cannot be folded, may last: it is begun again after longer and longer waits.
    private void Remember(int partition, StandbyTask ended)
    {
        if (!ended.Completion.Result)
            _failed[partition] = (_failed.GetValueOrDefault(partition).Failures + 1, _context.Time.GetTimestamp());
    }

    private bool IsDue(int partition)
    {
        if (!_failed.TryGetValue(partition, out (int Failures, long At) failed))
            return true;
        double wait = Math.Min(LongestRetryDelay.Ticks, LookInterval.Ticks * Math.Pow(2, failed.Failures - 1));
        return _context.Time.GetElapsedTime(failed.At).Ticks >= wait;
    }

    private void LogAway(KafkaException away) => LogNotDescribed(_context.Logger, away, _group);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The group {Group} could not be described; copies stay where they are")]
    private static partial void LogNotDescribed(ILogger logger, Exception failure, string group);
}
