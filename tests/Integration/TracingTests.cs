using System.Diagnostics;
using System.Net;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using Span = System.Diagnostics.Activity;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>
/// From whoever sends a command to the read models: what a listener of the library's activity source is told. Nobody was told anything; a
/// traceparent was handed on, and that was all.
/// </summary>
public sealed class TracingTests(BankFixture bank) : IDisposable
{
    private const string Web = "Microsoft.AspNetCore";

    private readonly SpanLog _spans = new(Tracing.SourceName, Web, "test");
    private readonly ActivitySource _test = new("test");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _spans.Dispose();
        _test.Dispose();
    }

    [Fact]
    public async Task Command_of_the_topic_is_one_trace_up_to_its_decision_and_append_and_read_models_link_to_it()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        ActivityTraceId trace;
        ActivitySpanId sender;
        using (Span mine = _test.StartActivity("ask")!)
        {
            mine.TraceStateString = "vendor=1";
            (trace, sender) = (mine.TraceId, mine.SpanId);
            (await node.Aggregates[0].CommandTopic.SendAsync(Movement.Open("a"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        }

        await node.WaitForReadModelsAsync(Cancellation);

        (string commands, string events) = (node.Aggregates[0].Topics.Commands, node.Aggregates[0].Topics.Events);
        Span send = _spans.Single($"send {commands}");
        (send.TraceId, send.ParentSpanId, send.Kind).ShouldBe((trace, sender, ActivityKind.Producer));
        Tag(send, "messaging.system").ShouldBe("kafka");
        Tag(send, "messaging.operation.type").ShouldBe("send");
        Tag(send, "messaging.destination.name").ShouldBe(commands);
        Tag(send, "messaging.message.id").ShouldBe("open-a");
        Span receive = _spans.Single($"receive {commands}");
        receive.Kind.ShouldBe(ActivityKind.Client);
        receive.Links.Select(l => l.Context.SpanId).ShouldBe([send.SpanId]);
        Span decide = _spans.Single($"decide {commands}");
        (decide.TraceId, decide.ParentSpanId, decide.Kind, decide.TraceStateString).ShouldBe(
            (trace, send.SpanId, ActivityKind.Consumer, "vendor=1"));
        Tag(decide, "kes.command.type").ShouldBe("OpenAccount");
        Tag(decide, "kes.aggregate.id").ShouldBe("a");
        Tag(decide, "kes.outcome").ShouldBe("Accepted");
        Span append = _spans.Single($"append {events}");
        (append.Kind, Tag(append, "messaging.batch.message_count")).ShouldBe((ActivityKind.Producer, 1));
        append.Links.Select(l => l.Context.SpanId).ShouldBe([decide.SpanId]);
        append.ParentSpanId.ShouldBe(default);

        Headers stored = HeadersOfFirstEvent(node);
        Encoding.UTF8.GetString(stored.GetLastBytes(CloudEventHeaders.TraceParent)).ShouldBe(decide.Id);
        Encoding.UTF8.GetString(stored.GetLastBytes(CloudEventHeaders.TraceState)).ShouldBe("vendor=1");
        Span[] projects = [.. _spans.All("project accounts").Where(s => s.Links.Any(l => l.Context.SpanId == decide.SpanId))];
        Span project = projects.ShouldHaveSingleItem();
        (project.Kind, project.Links.Single().Context.TraceId, Tag(project, "kes.read_model")).ShouldBe(
            (ActivityKind.Consumer, trace, "accounts"));
    }

    // All that the node did for as long as it ran was a part of its start: of a test, or of a request that started it.
    [Fact]
    public async Task Node_that_is_started_within_an_activity_does_not_work_within_it()
    {
        EventSourcedNode started;
        using (Span starting = _test.StartActivity("start")!)
            started = await bank.Servers.StartNodeAsync(BankFixture.NewBank(), null, Cancellation);
        await using EventSourcedNode node = started;
        await node.Aggregates[0].CommandTopic.SendAsync(Movement.Open("a"), Cancellation);
        await node.WaitForReadModelsAsync(Cancellation);

        _spans.Single($"receive {node.Aggregates[0].Topics.Commands}").ParentSpanId.ShouldBe(default);
        _spans.Single($"append {node.Aggregates[0].Topics.Events}").ParentSpanId.ShouldBe(default);
    }

    [Fact]
    public async Task Command_of_HTTP_is_decided_within_the_trace_of_its_request_whichever_node_it_reaches()
    {
        await using var nodes = new BankNodes(bank.Servers, partitions: 2, TimeSpan.FromSeconds(20));
        await nodes.Start("one", isStatic: false, Cancellation);
        await nodes.Start("two", isStatic: false, Cancellation);
        await nodes.AllServing(Cancellation);
        for (int i = 0; i < 2; i++)
        {
            string parent = $"00-{ActivityTraceId.CreateRandom().ToHexString()}-{ActivitySpanId.CreateRandom().ToHexString()}-01";
            using var request = new HttpRequestMessage(HttpMethod.Post, "/account/h/open-account")
            {
                Content = new StringContent("""{"owner":"Ada","currency":"EUR","overdraftLimit":0,"openedOn":"2026-03-01"}""",
                    Encoding.UTF8, "application/json"),
            };
            request.Headers.Add("traceparent", parent);
            request.Headers.Add("Idempotency-Key", $"open-{i}");
            using HttpResponseMessage answer = await nodes.Running[i].Http.SendAsync(request, Cancellation);
            answer.StatusCode.ShouldBe(i == 0 ? HttpStatusCode.OK : HttpStatusCode.UnprocessableEntity);

            ActivityTraceId trace = ActivityContext.Parse(parent, null).TraceId;
            Span decide = _spans.Single($"decide {nodes.Application.Name}.account", trace);
            decide.Kind.ShouldBe(ActivityKind.Internal);
            _spans.Of(trace).ShouldContain(s => s.Source.Name == Web && s.SpanId == decide.ParentSpanId);
            Tag(decide, "kes.outcome").ShouldBe(i == 0 ? "Accepted" : "Rejected");
        }
    }

    private static object? Tag(Span span, string name) => span.GetTagItem(name);

    private Headers HeadersOfFirstEvent(EventSourcedNode node)
    {
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(
            bank.Servers.Addresses.KafkaConnection.Consumer("tracing-test")).Build();
        string topic = node.Aggregates[0].Topics.Events;
        consumer.Assign(Enumerable.Range(0, 2).Select(p => new TopicPartitionOffset(topic, p, Offset.Beginning)));
        return consumer.Consume(Cancellation).Message.Headers;
    }

    /// <summary>The spans that ended, of this process: other tests' too, so that names and traces say whose they are.</summary>
    private sealed class SpanLog : IDisposable
    {
        private readonly ActivityListener _listener;
        private readonly List<Span> _ended = [];

        public SpanLog(params string[] sources)
        {
            _listener = new ActivityListener
            {
                ShouldListenTo = source => sources.Contains(source.Name),
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = span =>
                {
                    lock (_ended)
                        _ended.Add(span);
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public IReadOnlyList<Span> All(string name)
        {
            lock (_ended)
                return [.. _ended.Where(s => s.DisplayName == name)];
        }

        public IReadOnlyList<Span> Of(ActivityTraceId trace)
        {
            lock (_ended)
                return [.. _ended.Where(s => s.TraceId == trace)];
        }

        public Span Single(string name) => All(name).ShouldHaveSingleItem();

        public Span Single(string name, ActivityTraceId trace) => All(name).Where(s => s.TraceId == trace).ShouldHaveSingleItem();

        public void Dispose() => _listener.Dispose();
    }
}
