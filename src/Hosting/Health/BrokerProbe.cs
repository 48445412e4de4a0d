using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Hosting.Health;

/// <summary>
/// Whether Kafka answers: the leaders of the event partitions that this node owns tell where they end. It costs a request a broker and
/// writes nothing. A node without partitions asks for the first one of each type.
/// </summary>
internal sealed class BrokerProbe : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly IAdminClient _admin;
    private readonly Func<IReadOnlyList<AggregateNode>> _aggregates;
    private readonly TimeSpan _timeout;
    private readonly ServerProbe _probe;

    /// <summary>Begins to ask.</summary>
    /// <param name="kafka">The cluster.</param>
    /// <param name="aggregates">What runs on this node now.</param>
    /// <param name="timeout">How long one question waits for its answer.</param>
    /// <param name="time">The clock.</param>
    public BrokerProbe(KafkaConnection kafka, Func<IReadOnlyList<AggregateNode>> aggregates, TimeSpan timeout, TimeProvider time)
    {
        (_aggregates, _timeout) = (aggregates, timeout);
        _admin = kafka.BuildAdmin();
        _probe = new ServerProbe(_ => Ask(), Interval, time);
    }

    /// <summary>For how long there was no answer.</summary>
    public TimeSpan Silence => _probe.Silence;

    /// <summary>Why the last question was not answered; null: it was.</summary>
    public string? Failure => _probe.Failure;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _probe.DisposeAsync().ConfigureAwait(false);
        _admin.Dispose();
    }

#pragma warning disable RS0030 // whether the first answer is a good one is what is asked
    private async Task Ask()
    {
        ListOffsetsResult answer = await _admin.ListOffsetsAsync(
            _aggregates().SelectMany(a =>
                a.Processor.Partitions.Keys.DefaultIfEmpty(0).Select(p =>
                    new TopicPartitionOffsetSpec
                    {
                        TopicPartition = new TopicPartition(a.Topics.Events, p), OffsetSpec = OffsetSpec.Latest(),
                    })),
            new ListOffsetsOptions { RequestTimeout = _timeout }).ConfigureAwait(false);
        // librdkafka gives a broker's partitions so, and no error, when that broker does not answer in time.
        if (answer.ResultInfos.Exists(r => r.TopicPartitionOffsetError.Offset == Offset.Unset))
            throw new KafkaException(new Error(ErrorCode.Local_TimedOut));
    }
#pragma warning restore RS0030
}
