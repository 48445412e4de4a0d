using System.Diagnostics;
using System.Text;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class TracingTests
{
    private const string Parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    // Nobody listens in this process.
    [Fact]
    public void Spans_without_a_listener_are_none_and_cost_no_memory()
    {
        Tracing.IsOn.ShouldBeFalse();
        Tracing.Start("decide", "process", ActivityKind.Consumer, "topic").ShouldBeNull(); // what is made once
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            using Activity? none = Tracing.Start("decide", "process", ActivityKind.Consumer, "topic");
            Tracing.SetTopic(none, "topic", 3);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Theory]
    [InlineData(Parent, "vendor=1", true)]
    [InlineData(Parent, null, true)]
    [InlineData("00-zz-b7ad6b7169203331-01", null, false)]
    [InlineData("", null, false)]
    [InlineData(null, "vendor=1", false)]
    public void Context_of_headers_is_read_and_a_malformed_one_is_none(string? parent, string? state, bool isContext)
    {
        ActivityContext context = Tracing.ContextOf(parent is null ? null : Encoding.UTF8.GetBytes(parent),
            state is null ? null : Encoding.UTF8.GetBytes(state));
        (context != default).ShouldBe(isContext);
        if (isContext)
            (context.SpanId.ToHexString(), context.TraceState, context.IsRemote).ShouldBe(("b7ad6b7169203331", state, true));
    }

    // An application with hierarchical ids had them written as the traceparent of its commands and events.
    [Fact]
    public void ParentOf_is_none_for_ids_that_are_not_of_W3C()
    {
        Tracing.ParentOf(null).ShouldBeNull();
        using Activity old = new Activity("old").SetIdFormat(ActivityIdFormat.Hierarchical).Start();
        Tracing.ParentOf(old).ShouldBeNull();
        using Activity current = new Activity("new").SetIdFormat(ActivityIdFormat.W3C).Start();
        Tracing.ParentOf(current).ShouldBe(current.Id);
    }
}
