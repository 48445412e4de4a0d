using System.Collections.Concurrent;
using Confluent.Kafka;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Clients;

/// <summary>
/// A consumer of Confluent's client on a thread of its own, as an application has it: polls, commits in the background, and closes itself
/// when it is told to end.
/// </summary>
internal sealed class GroupMember : IDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _end = new();
    private readonly Thread _thread;
    private readonly ConcurrentDictionary<string, byte> _consumed;
    private volatile int[] _assignment = [];

    public GroupMember(ConsumerConfig config, string topic, ConcurrentDictionary<string, byte> consumed)
    {
        _consumed = consumed;
        _thread = new Thread(() => Run(config, topic)) { IsBackground = true };
        _thread.Start();
    }

    /// <summary>The partitions that it has, as of its last poll.</summary>
    public IReadOnlyList<int> Assignment => _assignment;

    /// <summary>Why it failed; null when it did not.</summary>
    public string? Failure { get; private set; }

    /// <summary>How many partitions were taken from it without being asked.</summary>
    public int Lost { get; private set; }

    /// <summary>Leaves the group; returns when it is closed.</summary>
    public void Dispose()
    {
        _end.Cancel();
        if (!_thread.Join(Patience))
            throw new TimeoutException($"The consumer is not closed {Patience.TotalSeconds:0} s after it was told to end.");
        _end.Dispose();
    }

    private void Run(ConsumerConfig config, string topic)
    {
        using IConsumer<string, string> consumer = new ConsumerBuilder<string, string>(config)
            .SetLogHandler((_, _) => { })
            .SetPartitionsRevokedHandler((_, _) => { })
            .SetPartitionsLostHandler((_, lost) => Lost += lost.Count)
            .Build();
        consumer.Subscribe(topic);
        try
        {
            while (!_end.IsCancellationRequested)
            {
                if (consumer.Consume(Poll) is { } record)
                    _consumed.TryAdd(record.Message.Value, 0);
                _assignment = [.. consumer.Assignment.Select(p => p.Partition.Value).Order()];
            }
        }
        catch (KafkaException e)
        {
            Failure = e.Error.Reason;
        }

        consumer.Close();
        _assignment = [];
    }
}
