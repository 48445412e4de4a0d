namespace KafkaEventSourcing.Processing.Tests;

public sealed class CutLogsTests
{
    private const int Partition = 3;
    private readonly ManualClock _clock = new(DateTimeOffset.UnixEpoch);

    // A commit is answered before its marker is written: a partition that was looked at between the two was halted as one that has lost
    // events.
    [Fact]
    public void Log_without_the_last_marker_has_lost_nothing_until_it_stays_away()
    {
        var logs = new CutLogs(_clock);
        logs.HasLost(Partition, next: 92, end: 91).ShouldBeFalse();
        logs.HasLost(Partition, next: 92, end: 92).ShouldBeFalse();
        logs.HasLost(Partition, next: 94, end: 93).ShouldBeFalse();
        _clock.Advance(CutLogs.MarkerPatience - TimeSpan.FromSeconds(1));
        logs.HasLost(Partition, next: 94, end: 93).ShouldBeFalse();
        logs.HasLost(Partition, next: 96, end: 95).ShouldBeFalse(); // another marker
        _clock.Advance(TimeSpan.FromSeconds(1));
        logs.HasLost(Partition, next: 96, end: 95).ShouldBeFalse();
        _clock.Advance(CutLogs.MarkerPatience);
        logs.HasLost(Partition, next: 96, end: 95).ShouldBeTrue();
    }

    [Fact]
    public void Log_that_ends_before_its_last_event_is_cut_at_once()
    {
        var logs = new CutLogs(_clock);
        logs.HasLost(Partition, next: 92, end: 90).ShouldBeTrue();
        logs.HasLost(Partition, next: 1, end: 0).ShouldBeFalse();
        logs.HasLost(Partition, next: 92, end: 0).ShouldBeTrue();
        logs.HasLost(Partition, next: 92, end: 95).ShouldBeFalse(); // it has grown meanwhile
    }
}
