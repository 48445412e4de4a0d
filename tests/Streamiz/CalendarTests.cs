namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class CalendarTests
{
    [Theory]
    [InlineData(CalendarWindow.Day, "2026-10-31T23:30:00+00:00", "2026-11-01")]
    [InlineData(CalendarWindow.Month, "2026-10-31T22:30:00+00:00", "2026-10-01")]
    [InlineData(CalendarWindow.Month, "2026-10-31T23:30:00+00:00", "2026-11-01")]
    [InlineData(CalendarWindow.Month, "2026-06-30T22:00:00+00:00", "2026-07-01")]
    [InlineData(CalendarWindow.Week, "2026-11-01T22:59:59+00:00", "2026-10-26")]
    [InlineData(CalendarWindow.Week, "2026-11-01T23:00:00+00:00", "2026-11-02")]
    public void Window_of_a_time_is_that_of_the_day_in_the_zone(CalendarWindow window, string time, string firstDay) =>
        new Calendar(window, "Europe/Prague").FirstDayOf(DateTimeOffset.Parse(time, null)).ShouldBe(DateOnly.Parse(firstDay, null));

    // A day of 23 and one of 25 hours.
    [Theory]
    [InlineData("Europe/Prague", "2026-03-29", "2026-03-28T23:00:00+00:00", 23)]
    [InlineData("Europe/Prague", "2026-10-25", "2026-10-24T22:00:00+00:00", 25)]
    [InlineData("Europe/Prague", "2026-11-02", "2026-11-01T23:00:00+00:00", 24)]
    public void Day_of_a_change_of_clocks_is_as_long_as_it_is(string zone, string day, string begin, int hours)
    {
        var calendar = new Calendar(CalendarWindow.Day, zone);
        DateOnly first = DateOnly.Parse(day, null);
        calendar.BeginOf(first).ShouldBe(DateTimeOffset.Parse(begin, null));
        (calendar.BeginOf(calendar.Next(first)) - calendar.BeginOf(first)).ShouldBe(TimeSpan.FromHours(hours));
    }

    // In Beirut clocks are put forward at midnight: the day begins at one o'clock. In Havana they are put back over midnight.
    [Theory]
    [InlineData("Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00+00:00")]
    [InlineData("America/Havana", "2021-11-07", "2021-11-07T04:00:00+00:00")]
    public void Day_whose_midnight_is_none_or_two_begins_at_the_first_moment_of_it(string zone, string day, string begin)
    {
        var calendar = new Calendar(CalendarWindow.Day, zone);
        calendar.BeginOf(DateOnly.Parse(day, null)).ShouldBe(DateTimeOffset.Parse(begin, null));
        calendar.FirstDayOf(DateTimeOffset.Parse(begin, null)).ShouldBe(DateOnly.Parse(day, null));
        calendar.FirstDayOf(DateTimeOffset.Parse(begin, null).AddTicks(-1)).ShouldBe(DateOnly.Parse(day, null).AddDays(-1));
    }

    [Fact]
    public void Zone_that_is_not_known_is_refused_by_name() =>
        Should.Throw<InvalidInputException>(() => new Calendar(CalendarWindow.Day, "Europe/Praha")).Message.ShouldContain("'Europe/Praha'");
}
