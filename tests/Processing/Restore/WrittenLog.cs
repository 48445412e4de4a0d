using System.Text;
using Confluent.Kafka;
using Counting;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>
/// An events topic of counters, written event by event in transactions of their own, some of them aborted, so that offsets have gaps.
/// </summary>
internal sealed class WrittenLog : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    private readonly ProcessingFixture _fixture;
    private readonly TopicPartition _partition;
    private readonly string _digest;
    private readonly List<WrittenEvent> _events = [];
    private readonly IProducer<byte[], byte[]> _writer;

    public WrittenLog(ProcessingFixture fixture, TopicFamily topics, string digest)
    {
        (_fixture, _partition, _digest) = (fixture, new TopicPartition(topics.Events, 0), digest);
        ProducerConfig config = fixture.Kafka.Producer();
        config.TransactionalId = $"{topics.Events}-writer";
        _writer = new ProducerBuilder<byte[], byte[]>(config).Build();
        _writer.InitTransactions(Timeout);
    }

    /// <summary>The id of the command topic.</summary>
    public static TopicId Commands { get; } = TopicId.From(1, 1);

    public IReadOnlyList<WrittenEvent> All => _events;

    /// <summary>Writes events of commands that have one or several.</summary>
    public void Write(Random random, int count)
    {
        while (count > 0)
        {
            string aggregate = ((char)('a' + random.Next(5))).ToString();
            string command = $"c{_events.Count}";
            int events = Math.Min(count, 1 + (random.Next(4) == 0 ? random.Next(1, 3) : 0));
            for (int i = 0; i < events; i++, count--)
            {
                if (i == 0 && random.Next(6) == 0)
                    Append(aggregate, 1, "aborted", input: false, isAborted: true);
                Append(aggregate, random.Next(1, 9), command, i == events - 1 && random.Next(3) == 0, isAborted: false);
            }
        }
    }

    public void WriteOne(string aggregate, int by, string command) => Append(aggregate, by, command, input: false, isAborted: false);

    /// <summary>How far commands are decided by the events before an offset.</summary>
    public long InputBefore(long offset) => _events.Where(e => e.Offset < offset).Select(e => e.Input).DefaultIfEmpty().Max();

    public long End()
    {
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(_fixture.Kafka.Consumer("test")).Build();
        return consumer.QueryWatermarkOffsets(_partition, Timeout).High.Value;
    }

    public void Dispose() => _writer.Dispose();

    private void Append(string aggregate, int by, string command, bool input, bool isAborted)
    {
        long version = _events.Count(e => e.Aggregate == aggregate) + 1;
        var headers = new Headers
        {
            { CloudEventHeaders.Sequence, CloudEventHeaders.Encode(version) },
            { CloudEventHeaders.Time, CloudEventHeaders.Encode(ProcessingFixture.RecordTime) },
            { CloudEventHeaders.CausationId, Encoding.UTF8.GetBytes(command) },
            { CommandDigest.Header, Encoding.UTF8.GetBytes(_digest) },
        };
        if (input)
            headers.Add(CloudEventHeaders.Input, new InputMark(Commands, _events.Count + 1).ToBytes());
        long offset = -1;
        _writer.BeginTransaction();
        _writer.Produce(_partition, new Message<byte[], byte[]>
        {
            Key = Encoding.UTF8.GetBytes(aggregate), Value = _fixture.Encode(new Added { By = by }), Headers = headers,
        }, report => offset = report.Offset.Value);
        if (isAborted)
        {
            _writer.Flush(TestContext.Current.CancellationToken);
            _writer.AbortTransaction(Timeout);
            return;
        }

        _writer.CommitTransaction(Timeout);
        _events.Add(new WrittenEvent(aggregate, version, by, command, offset, input ? _events.Count + 1 : 0));
    }
}

/// <summary>An event in the log; <paramref name="Input"/>: how far commands are decided with it, 0: it does not say.</summary>
internal sealed record WrittenEvent(string Aggregate, long Version, int By, string Command, long Offset, long Input);
