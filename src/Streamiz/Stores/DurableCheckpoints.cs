using System.Collections.Concurrent;
using Confluent.Kafka;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Processors.Internal;
using Streamiz.Kafka.Net.State;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Streamiz' checkpoint files, behind the stores that they speak of: what a checkpoint says is restored is on disk before. Stores have no
/// write-ahead log, and Streamiz' own stores are written to disk at every commit instead, five times a second and more under exactly-once.
/// Of one run of streams. Thread-safe.
/// </summary>
internal sealed class DurableCheckpoints(ThreadOwnership ownership) : IOffsetCheckpointManager
{
    private readonly ConcurrentDictionary<TaskId, OffsetCheckpointFile> _files = [];
    private readonly ConcurrentDictionary<RocksBytesStore, TaskId> _stores = [];

    /// <summary>A store of <paramref name="task"/> is open.</summary>
    public void Add(TaskId task, RocksBytesStore store) => _stores[store] = task;

    /// <summary>A store is closed.</summary>
    public void Remove(RocksBytesStore store) => _stores.TryRemove(store, out _);

    /// <inheritdoc/>
    public void Configure(IStreamConfig config, TaskId taskId)
    {
        string folder = Path.Combine(config.StateDir, config.ApplicationId, taskId.ToString());
        Directory.CreateDirectory(folder);
        _files[taskId] = new OffsetCheckpointFile(folder);
    }

    /// <inheritdoc/>
    public IDictionary<TopicPartition, long> Read(TaskId taskId) => _files[taskId].Read(taskId);

    /// <summary>
    /// Writes the files of a task. The earlier one stays when the task was taken away: others may have written between, what Streamiz
    /// counts may be aborted, and what comes after the earlier one is restored then.
    /// </summary>
    public void Write(TaskId taskId, IDictionary<TopicPartition, long> data)
    {
        if (ownership.IsLost)
            return;
        foreach ((RocksBytesStore store, TaskId task) in _stores)
        {
            if (task.Equals(taskId))
                store.WriteToDisk();
        }

        _files[taskId].Write(taskId, data);
    }

    /// <inheritdoc/>
    public void Destroy(TaskId taskId) => _files[taskId].Destroy(taskId);
}
