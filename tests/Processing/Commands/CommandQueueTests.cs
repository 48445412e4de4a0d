using System.Diagnostics;
using Confluent.Kafka;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class CommandQueueTests
{
    private readonly CommandQueue _queue = new();
    private readonly List<QueuedCommand> _batch = [];

    [Fact]
    public void Take_keeps_the_order_and_the_limit()
    {
        for (int i = 0; i < 5; i++)
            _queue.Add(Record(i, 10));
        Take(3, out long left).ShouldBeTrue();
        _batch.Select(r => r.Record!.Offset.Value).ShouldBe([0, 1, 2]);
        left.ShouldBeGreaterThan(0);
        Take(3, out left).ShouldBeTrue();
        _batch.Select(r => r.Record!.Offset.Value).ShouldBe([3, 4]);
        left.ShouldBe(0);
    }

    [Fact]
    public void Add_counts_values_and_a_share_for_records_without_one()
    {
        long one = _queue.Add(Record(0, null));
        one.ShouldBeGreaterThan(0);
        _queue.Add(Record(1, 1000)).ShouldBe(one + one + 1000);
    }

    [Fact]
    public async Task Take_waits_for_a_record()
    {
        Task<bool> take = Task.Run(() => Take(3, out _), TestContext.Current.CancellationToken);
        _queue.Add(Record(7, 1));
        (await take.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)).ShouldBeTrue();
        _batch.ShouldHaveSingleItem().Record!.Offset.Value.ShouldBe(7);
    }

    [Fact]
    public async Task Close_ends_a_waiting_take_and_hands_out_nothing_more()
    {
        Task<bool> take = Task.Run(() => Take(3, out _), TestContext.Current.CancellationToken);
        _queue.Close();
        (await take.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)).ShouldBeFalse();
        _queue.Add(Record(1, 1));
        Take(3, out _).ShouldBeFalse();
        _batch.ShouldBeEmpty();
    }

    [Fact]
    public void Both_doors_share_one_order_and_one_bound()
    {
        _queue.Add(Record(0, 100));
        _queue.TryAdd(Direct("c1"), 100, 10_000).ShouldBe(true);
        _queue.Add(Record(1, 100));
        _queue.TryAdd(Direct("c2"), 100, 1_000).ShouldBe(false);
        Take(10, out _).ShouldBeTrue();
        _batch.Select(q => q.Direct?.CommandId.Value ?? $"@{q.Record!.Offset.Value}").ShouldBe(["@0", "c1", "@1"]);
        _queue.TryAdd(Direct("c2"), 100, 1_000).ShouldBe(true);
    }

    [Fact]
    public void Drain_closes_and_returns_the_callers_that_nobody_will_answer()
    {
        _queue.Add(Record(0, 100));
        _queue.TryAdd(Direct("c1"), 1, 10_000).ShouldBe(true);
        _queue.Drain().ShouldHaveSingleItem().CommandId.Value.ShouldBe("c1");
        _queue.Drain().ShouldBeEmpty();
        _queue.TryAdd(Direct("c2"), 1, 10_000).ShouldBeNull();
    }

    [Fact]
    public void Batch_ends_with_the_command_that_reaches_its_bytes()
    {
        for (int i = 0; i < 4; i++)
            _queue.Add(Record(i, 1_000));
        long one = _queue.Add(Record(4, 1_000)) / 5;
        _queue.Take(_batch, 10, one + 1, default, out long left).ShouldBeTrue();
        (_batch.Count, left).ShouldBe((2, 3 * one));
        _queue.Take(_batch, 10, 1, default, out _).ShouldBeTrue();
        _batch.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Take_lingers_until_as_many_as_expected_have_come()
    {
        _queue.TryAdd(Direct("c1"), 1, 10_000).ShouldBe(true);
        Task<bool> take = Task.Run(() => _queue.Take(_batch, 10, 10_000, new Linger(3, long.MaxValue), out _),
            TestContext.Current.CancellationToken);
        _queue.TryAdd(Direct("c2"), 1, 10_000).ShouldBe(true);
        _queue.TryAdd(Direct("c3"), 1, 10_000).ShouldBe(true);
        (await take.WaitAsync(TestContext.Current.CancellationToken)).ShouldBeTrue();
        _batch.Count.ShouldBe(3);
        _queue.Added.ShouldBe(3);
    }

    [Fact]
    public void Take_lingers_neither_past_its_time_nor_for_a_full_batch_nor_when_it_is_nudged()
    {
        var forever = new Linger(100, long.MaxValue);
        _queue.Add(Record(0, 10));
        _queue.Take(_batch, 10, 10_000, new Linger(100, Stopwatch.GetTimestamp()), out _).ShouldBeTrue();
        _batch.Count.ShouldBe(1);
        _queue.Add(Record(1, 10));
        _queue.Take(_batch, 1, 10_000, forever, out _).ShouldBeTrue();
        _batch.Count.ShouldBe(1);
        _queue.Add(Record(2, 10));
        _queue.Take(_batch, 10, 1, forever, out _).ShouldBeTrue();
        _batch.Count.ShouldBe(1);
        _queue.Add(Record(3, 10));
        _queue.Nudge();
        _queue.Take(_batch, 10, 10_000, forever, out _).ShouldBeTrue();
        _batch.Count.ShouldBe(1);
    }

    [Fact]
    public void Callers_are_late_in_the_queue_and_in_the_batch_that_was_taken_until_they_are_answered()
    {
        IncomingCommand[] direct = [Direct("c1"), Direct("c2"), Direct("c3")];
        foreach (IncomingCommand command in direct)
            _queue.TryAdd(command, 1, 10_000).ShouldBe(true);
        _queue.Add(Record(0, 10));
        _queue.WaitingSince(direct[0].Caller!.Since).ShouldBeEmpty();
        Take(1, out _).ShouldBeTrue();
        _queue.WaitingSince(direct[2].Caller!.Since + 1).ShouldBe(direct);
        direct[0].Caller!.TrySetCanceled(TestContext.Current.CancellationToken);
        _queue.WaitingSince(direct[2].Caller!.Since + 1).ShouldBe(direct[1..]);
        Take(10, out _).ShouldBeTrue();
        _queue.WaitingSince(direct[2].Caller!.Since + 1).ShouldBe(direct[1..]);
    }

    private bool Take(int max, out long left) => _queue.Take(_batch, max, long.MaxValue, default, out left);

    private static IncomingCommand Direct(string commandId) =>
        IncomingCommand.From(new CommandEnvelope(AggregateId.Parse("a"), CommandId.Parse(commandId), new object()),
            DateTimeOffset.UnixEpoch, default);

    private static ConsumeResult<byte[], byte[]> Record(long offset, int? size) =>
        new() { Offset = offset, Message = new Message<byte[], byte[]> { Value = size is { } bytes ? new byte[bytes] : null! } };
}
