using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using Xunit.v3;

[assembly: KafkaEventSourcing.BoundedTests]

namespace KafkaEventSourcing;

/// <summary>
/// No test of an assembly hangs: after five minutes, or as many as <c>KES_TEST_MINUTES</c> says, it is cancelled, and fails where it waits
/// with <see cref="ITestContext.CancellationToken"/>. One that has not ended a minute later ends the program with its name, as a run that
/// hangs tells nothing.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class BoundedTestsAttribute : BeforeAfterTestAttribute
{
    private static readonly ConcurrentDictionary<string, Watch> s_watched = [];

    public override void Before(MethodInfo methodUnderTest, IXunitTest test) =>
        s_watched[test.UniqueID] = new Watch(test.TestDisplayName, TestContext.Current);

    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (s_watched.TryRemove(test.UniqueID, out Watch? watch))
            watch.Dispose();
    }

    private sealed class Watch : IDisposable
    {
        private static readonly TimeSpan Bound = TimeSpan.FromMinutes(
            int.TryParse(Environment.GetEnvironmentVariable("KES_TEST_MINUTES"), NumberStyles.None, CultureInfo.InvariantCulture,
                out int minutes) && minutes > 0 ? minutes : 5);
        private static readonly TimeSpan Grace = TimeSpan.FromMinutes(1);

        private readonly string _test;
        private readonly ITestContext _context;
        private readonly Timer _timer;
        private bool _cancelled;
        private volatile bool _ended;

        public Watch(string test, ITestContext context)
        {
            (_test, _context) = (test, context);
            _timer = new Timer(_ => Elapse(), null, Bound, Grace);
        }

        public void Dispose()
        {
            _ended = true;
            _timer.Dispose();
        }

        private void Elapse()
        {
            if (_ended)
                return;
            if (_cancelled)
                Environment.FailFast($"{_test} was cancelled after {Bound.TotalMinutes} minutes and has not ended since.");
            _cancelled = true;
            _context.TestOutputHelper?.WriteLine($"It has run for {Bound.TotalMinutes} minutes and is cancelled.");
            _context.CancelCurrentTest();
        }
    }
}
