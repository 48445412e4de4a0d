using System.Reflection;
using System.Runtime.ExceptionServices;
using Confluent.Kafka;
using KafkaEventSourcing.Streamiz;

namespace KafkaEventSourcing.FaultyApplication;

/// <summary>
/// A planted bug of streams: snapshots are written some transactions late, and the mark that says that all are there with the transaction
/// that they belong to. A node that restores in between has aggregates that lack their last events.
/// </summary>
internal static class EarlyMarks
{
    private const int TransactionsLate = 15;
    private const int HeaderBytes = 5; // of Confluent's wire format

    public static StreamClients Clients(StreamClientSettings settings) => new LateClients(settings);

    private sealed class LateClients(StreamClientSettings settings) : StreamClients(settings)
    {
        public override IProducer<byte[], byte[]> GetProducer(ProducerConfig config)
        {
            IProducer<byte[], byte[]> producer = DispatchProxy.Create<IProducer<byte[], byte[]>, LateProducer>();
            ((LateProducer)producer).Inner = base.GetProducer(config);
            return producer;
        }
    }

#pragma warning disable CA1852 // the runtime derives from it
    internal class LateProducer : DispatchProxy
    {
        private readonly Queue<(int Transaction, MethodInfo Produce, object?[] Arguments)> _late = [];
        private readonly Dictionary<TopicPartition, byte[]> _marks = [];
        private readonly Dictionary<TopicPartition, long> _newest = [];
        private int _transaction;

        internal IProducer<byte[], byte[]> Inner { get; set; } = null!;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name == nameof(Inner.Produce) && args is [TopicPartition partition, Message<byte[], byte[]> message, ..]
                && partition.Topic.EndsWith("-snapshots-changelog", StringComparison.Ordinal) && message.Value is not null)
            {
                if (message.Key is [0, ..])
                {
                    _marks[partition] = message.Value;
                }
                else
                {
                    _newest[partition] = Math.Max(_newest.GetValueOrDefault(partition), OffsetIn(message.Value).Offset);
                    _late.Enqueue((_transaction, targetMethod, args));
                    return null;
                }
            }

            if (targetMethod.Name == nameof(Inner.CommitTransaction))
                BeforeCommit();
            return Call(targetMethod, args);
        }

        private void BeforeCommit()
        {
            while (_late.TryPeek(out var late) && late.Transaction <= _transaction - TransactionsLate)
                Call(late.Produce, _late.Dequeue().Arguments);
            foreach ((TopicPartition partition, byte[] mark) in _marks.Where(m => _newest.ContainsKey(m.Key)))
                Inner.Produce(partition, new Message<byte[], byte[]> { Key = [0, .. "mark"u8], Value = At(mark, _newest[partition]) });
            _newest.Clear();
            _transaction++;
        }

        private object? Call(MethodInfo method, object?[]? arguments)
        {
            try
            {
                return method.Invoke(Inner, arguments);
            }
            catch (TargetInvocationException failed)
            {
                ExceptionDispatchInfo.Throw(failed.InnerException!);
                throw;
            }
        }
    }

    // Version, partition and offset of the event come first, in variable length and zigzag.
    private static (long Offset, int Begin, int End) OffsetIn(byte[] snapshot)
    {
        int at = HeaderBytes;
        Read(snapshot, ref at);
        Read(snapshot, ref at);
        int begin = at;
        long offset = Read(snapshot, ref at);
        return (offset, begin, at);
    }

    private static byte[] At(byte[] mark, long offset)
    {
        (_, int begin, int end) = OffsetIn(mark);
        var written = new List<byte>();
        for (ulong left = (ulong)offset << 1; ; left >>= 7)
        {
            if (left < 0x80)
            {
                written.Add((byte)left);
                return [.. mark[..begin], .. written, .. mark[end..]];
            }

            written.Add((byte)(left | 0x80));
        }
    }

    private static long Read(byte[] bytes, ref int at)
    {
        ulong raw = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[at++];
            raw |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return (long)(raw >> 1) ^ -(long)(raw & 1);
        }
    }
}
