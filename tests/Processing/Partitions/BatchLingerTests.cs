using System.Diagnostics;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class BatchLingerTests
{
    private static readonly TimeSpan Batch = TimeSpan.FromMilliseconds(4);

    private readonly BatchLinger _linger = new();
    private long _added;

    [Fact]
    public void First_batch_does_not_wait() => _linger.Next.ShouldBe(default);

    [Fact]
    public void Batch_waits_for_most_of_the_callers_that_the_one_before_has_answered()
    {
        _linger.Answered(16, 100, Batch, 0);
        _linger.Next.Added.ShouldBe(100 + 14);
        _linger.Answered(1, 100, Batch, 0);
        _linger.Next.Added.ShouldBe(101);
    }

    [Fact]
    public void Batch_that_answered_nobody_makes_none_wait()
    {
        _linger.Answered(0, 100, Batch, 0);
        _linger.Next.ShouldBe(default);
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(8, 4)]
    [InlineData(400, 5)]
    public void Wait_is_half_of_what_batches_take_lately_and_5_ms_at_most(int batchMs, double waitMs)
    {
        const long now = 1_000_000;
        for (int i = 0; i < 100; i++)
            _linger.Answered(3, 0, TimeSpan.FromMilliseconds(batchMs), now);
        Stopwatch.GetElapsedTime(now, _linger.Next.Deadline).TotalMilliseconds.ShouldBe(waitMs, 0.01);
    }

    [Fact]
    public void Callers_that_do_not_come_back_are_waited_for_less_and_less_until_they_do()
    {
        List<int> waited = Waits(300, comeBack: _ => false);
        waited.ShouldBe([0, 2, 6, 14, 30, 62, 126, 190, 254]);
        Waits(70, comeBack: _ => true).Count.ShouldBeGreaterThan(0); // tried again
        Waits(10, comeBack: _ => true).ShouldBe(Enumerable.Range(0, 10));
    }

    // The numbers of those batches that made the next one wait.
    private List<int> Waits(int batches, Func<int, bool> comeBack)
    {
        var waited = new List<int>();
        for (int i = 0; i < batches; i++)
        {
            _linger.Answered(8, _added, Batch, 0);
            if (_linger.Next != default)
                waited.Add(i);
            _added += comeBack(i) ? 8 : 1;
            _linger.Took(_added);
        }

        return waited;
    }
}
