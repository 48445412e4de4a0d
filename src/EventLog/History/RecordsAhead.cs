using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>Records of readers that block, for those who must not.</summary>
internal static class RecordsAhead
{
    private const int MaxWaitingRecords = 10_000;

    /// <summary>
    /// What <paramref name="read"/> gives, read on a thread of its own, which is a bounded number of records ahead.
    /// </summary>
    public static async IAsyncEnumerable<ConsumeResult<byte[], byte[]>> ReadAsync(
        Func<CancellationToken, IEnumerable<ConsumeResult<byte[], byte[]>>> read,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var records = Channel.CreateBounded<ConsumeResult<byte[], byte[]>>(
            new BoundedChannelOptions(MaxWaitingRecords) { SingleReader = true, SingleWriter = true });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task reading = Task.Factory.StartNew(
            () => Pump(read(stop.Token), records.Writer, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        try
        {
            await foreach (ConsumeResult<byte[], byte[]> record in records.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return record;
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await reading.ConfigureAwait(false);
        }
    }

    private static void Pump(IEnumerable<ConsumeResult<byte[], byte[]>> records, ChannelWriter<ConsumeResult<byte[], byte[]>> output,
        CancellationToken cancellationToken)
    {
        try
        {
            foreach (ConsumeResult<byte[], byte[]> record in records)
            {
                if (!output.TryWrite(record))
                    output.WriteAsync(record, cancellationToken).AsTask().GetAwaiter().GetResult(); // this thread is the reader's own
            }

            output.TryComplete();
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            output.TryComplete();
        }
        catch (Exception failure)
        {
            output.TryComplete(failure);
        }
    }
}
