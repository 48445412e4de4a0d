using Confluent.Kafka;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A consumer over another one, for those that do one thing otherwise. Of one thread, as every consumer of Streamiz.</summary>
internal abstract class DelegatingConsumer : IConsumer<byte[], byte[]>
{
    /// <summary>The other one.</summary>
    protected IConsumer<byte[], byte[]> Inner
    {
        get => field ?? throw new InvalidOperationException("The consumer has not been built yet.");
        set;
    }

    /// <inheritdoc/>
    public string MemberId => Inner.MemberId;

    /// <inheritdoc/>
    public List<TopicPartition> Assignment => Inner.Assignment;

    /// <inheritdoc/>
    public List<string> Subscription => Inner.Subscription;

    /// <inheritdoc/>
    public virtual IConsumerGroupMetadata ConsumerGroupMetadata => Inner.ConsumerGroupMetadata;

    /// <inheritdoc/>
    public Handle Handle => Inner.Handle;

    /// <inheritdoc/>
    public string Name => Inner.Name;

    /// <inheritdoc/>
    public virtual ConsumeResult<byte[], byte[]>? Consume(TimeSpan timeout) => Inner.Consume(timeout);

    /// <inheritdoc/>
    public ConsumeResult<byte[], byte[]> Consume(int millisecondsTimeout) => Consume(TimeSpan.FromMilliseconds(millisecondsTimeout))!;

    /// <inheritdoc/>
    public ConsumeResult<byte[], byte[]> Consume(CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("Streamiz reads with a time-out.");

    /// <inheritdoc/>
    public virtual void Subscribe(IEnumerable<string> topics) => Inner.Subscribe(topics);

    /// <inheritdoc/>
    public virtual void Subscribe(string topic) => Inner.Subscribe(topic);

    /// <inheritdoc/>
    public virtual void Unsubscribe() => Inner.Unsubscribe();

    /// <inheritdoc/>
    public void Assign(TopicPartition partition) => Inner.Assign(partition);

    /// <inheritdoc/>
    public void Assign(TopicPartitionOffset partition) => Inner.Assign(partition);

    /// <inheritdoc/>
    public void Assign(IEnumerable<TopicPartitionOffset> partitions) => Inner.Assign(partitions);

    /// <inheritdoc/>
    public void Assign(IEnumerable<TopicPartition> partitions) => Inner.Assign(partitions);

    /// <inheritdoc/>
    public void IncrementalAssign(IEnumerable<TopicPartitionOffset> partitions) => Inner.IncrementalAssign(partitions);

    /// <inheritdoc/>
    public void IncrementalAssign(IEnumerable<TopicPartition> partitions) => Inner.IncrementalAssign(partitions);

    /// <inheritdoc/>
    public virtual void IncrementalUnassign(IEnumerable<TopicPartition> partitions) => Inner.IncrementalUnassign(partitions);

    /// <inheritdoc/>
    public virtual void Unassign() => Inner.Unassign();

    /// <inheritdoc/>
    public void StoreOffset(ConsumeResult<byte[], byte[]> result) => Inner.StoreOffset(result);

    /// <inheritdoc/>
    public void StoreOffset(TopicPartitionOffset offset) => Inner.StoreOffset(offset);

    /// <inheritdoc/>
    public List<TopicPartitionOffset> Commit() => Inner.Commit();

    /// <inheritdoc/>
    public virtual void Commit(IEnumerable<TopicPartitionOffset> offsets) => Inner.Commit(offsets);

    /// <inheritdoc/>
    public void Commit(ConsumeResult<byte[], byte[]> result) => Inner.Commit(result);

    /// <inheritdoc/>
    public virtual void Seek(TopicPartitionOffset tpo) => Inner.Seek(tpo);

    /// <inheritdoc/>
    public void Pause(IEnumerable<TopicPartition> partitions) => Inner.Pause(partitions);

    /// <inheritdoc/>
    public void Resume(IEnumerable<TopicPartition> partitions) => Inner.Resume(partitions);

    /// <inheritdoc/>
    public List<TopicPartitionOffset> Committed(TimeSpan timeout) => Inner.Committed(timeout);

    /// <inheritdoc/>
    public List<TopicPartitionOffset> Committed(IEnumerable<TopicPartition> partitions, TimeSpan timeout) =>
        Inner.Committed(partitions, timeout);

    /// <inheritdoc/>
    public Offset Position(TopicPartition partition) => Inner.Position(partition);

#pragma warning disable RS0030 // whether they are asked again is for Streamiz to say, which asks here
    /// <inheritdoc/>
    public List<TopicPartitionOffset> OffsetsForTimes(IEnumerable<TopicPartitionTimestamp> timestampsToSearch, TimeSpan timeout) =>
        Inner.OffsetsForTimes(timestampsToSearch, timeout);

    /// <inheritdoc/>
    public WatermarkOffsets GetWatermarkOffsets(TopicPartition topicPartition) => Inner.GetWatermarkOffsets(topicPartition);

    /// <inheritdoc/>
    public virtual WatermarkOffsets QueryWatermarkOffsets(TopicPartition topicPartition, TimeSpan timeout) =>
        Inner.QueryWatermarkOffsets(topicPartition, timeout);
#pragma warning restore RS0030

    /// <inheritdoc/>
    public int AddBrokers(string brokers) => Inner.AddBrokers(brokers);

    /// <inheritdoc/>
    public void SetSaslCredentials(string username, string password) => Inner.SetSaslCredentials(username, password);

    /// <inheritdoc/>
    public virtual void Close() => Inner.Close();

    /// <inheritdoc/>
    public virtual void Dispose()
    {
        Inner.Dispose();
        GC.SuppressFinalize(this);
    }
}
