using System.Collections.Concurrent;
using System.Diagnostics;
using Banking.Domain;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Integration.Tests;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Subscriptions.Tests;

/// <summary>What a subscription shows of itself to those who watch it: spans, lag and parked aggregates.</summary>
public sealed class TelemetryTests : IAsyncLifetime
{
    private TestServers _servers = null!;
    private Mailroom _room = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);
        _room = new Mailroom(_servers);
    }

    public async ValueTask DisposeAsync()
    {
        _room?.Dispose();
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    [Fact]
    public async Task Each_attempt_is_a_span_within_the_trace_of_the_decision_that_made_the_event()
    {
        var ended = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is Tracing.SourceName or nameof(TelemetryTests),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = ended.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using var test = new ActivitySource(nameof(TelemetryTests));
        var handled = new TaskCompletionSource<(long Offset, Activity? Current)>(TaskCreationOptions.RunContinuationsAsynchronously);
        ActivityTraceId trace;
        await using (EventSourcedNode node = await _room.Start((context, _) =>
        {
            if (context.Attempt == 1)
                throw new TimeoutException("The web service is away.");
            handled.TrySetResult((context.Event.Offset, Activity.Current));
            return Task.CompletedTask;
        }))
        {
            await Mailroom.Send(node, Movement.Open("a"));
            using (Activity sends = test.StartActivity("ask")!)
            {
                trace = sends.TraceId;
                await Mailroom.Send(node, Movement.Credit("a", 1));
            }

            await handled.Task.WaitAsync(Cancellation);
        } // what has ended with the node has ended its spans

        Activity decide = ended.Where(s => s.TraceId == trace && s.DisplayName == $"decide {_room.Name}.account").ShouldHaveSingleItem();
        Activity[] attempts = [.. ended.Where(s => s.TraceId == trace && s.DisplayName == "handle mailer")];
        (long offset, Activity? current) = await handled.Task;
        current.ShouldBe(attempts[1]); // what the handler calls is within its span
        attempts.ShouldAllBe(s => s.ParentSpanId == decide.SpanId && s.Kind == ActivityKind.Consumer);
        attempts.Select(s => s.Status).ShouldBe([ActivityStatusCode.Error, ActivityStatusCode.Unset]);
        attempts[0].GetTagItem("error.type").ShouldBe(typeof(TimeoutException).FullName);
        for (int i = 0; i < attempts.Length; i++)
        {
            attempts[i].TagObjects.Where(t => t.Key != "error.type").OrderBy(t => t.Key, StringComparer.Ordinal).ShouldBe(
            [
                new("kes.aggregate.id", "a"), new("kes.aggregate.type", "account"), new("kes.subscription", "mailer"),
                new("kes.subscription.attempt", i + 1), new("messaging.kafka.offset", offset), new("messaging.operation.name", "handle"),
                new("messaging.operation.type", "process"), new("messaging.system", "kafka"),
            ]);
        }
    }

    [Fact]
    public async Task Lag_is_what_waits_behind_the_position_and_none_when_all_is_handled_or_parked()
    {
        await using EventSourcedNode node = await _room.StartWithout();
        using (var provisioner = new TopicProvisioner(_servers.Addresses.KafkaConnection))
            await provisioner.ApplyAsync(await provisioner.PlanMissingAsync(_room.Topics, 1, -1, isProcess: false, Cancellation),
                Cancellation);
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = _servers.Addresses.Registry });
        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        SubscriptionDefinition mailer = Subscription.Named("mailer").From(Account.Definition)
            .On<AccountCredited>(async (_, context, token) =>
            {
                await released.Task.WaitAsync(token);
                await _room.Take(context, token);
            })
            .With(_room.Options)
            .Build();
        _room.Poison["p"] = 0;
        await using SubscriptionRunner runner = SubscriptionRunner.Start(mailer, _room.Name, _servers.Addresses.KafkaConnection,
            AvroMessageSerde.Create(registry, [AvroRecordType.Of<AccountOpened>(), AvroRecordType.Of<AccountCredited>()]),
            services: null, Task.CompletedTask, new FastClock(), TestServers.Loggers);
        // Each command is a transaction of its own, with its marker. The openings, which nobody handles, may be passed already.
        await Mailroom.Send(node, Movement.Open("a"), Movement.Open("p"), Movement.Credit("a", 1), Movement.Credit("p", 1),
            Movement.Credit("a", 2));
        await Until(lag => lag is >= 6 and <= 10);
        _room.Measured("kes_subscription_parked").ShouldBe([0]);

        released.SetResult();
        await Until(lag => lag == 0);
        (await _room.Handled(2)).ShouldBe([("a", 2), ("a", 3)]);
        _room.Measured("kes_subscription_parked").ShouldBe([1]);

        async Task Until(Func<long, bool> isReached)
        {
            using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(50), TimeProvider.System);
            while (_room.Measured("kes_subscription_lag") is not [var lag] || !isReached(lag))
            {
                runner.Completion.IsCompleted.ShouldBeFalse();
                await look.WaitForNextTickAsync(Cancellation);
            }
        }
    }

    /// <summary>A clock that is ten times as fast: what is done every ten seconds is done each second.</summary>
    private sealed class FastClock : TimeProvider
    {
        private const int Speed = 10;

        public override long GetTimestamp() => System.GetTimestamp() * Speed;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, Faster(dueTime), Faster(period));

        private static TimeSpan Faster(TimeSpan time) => time == Timeout.InfiniteTimeSpan ? time : time / Speed;
    }
}
