using System.Collections.Concurrent;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>A node that fails while it serves, in the host of a user.</summary>
public sealed class FaultOfGuestTests : IDisposable
{
    private const string NodeId = "one";

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-fault-").FullName;
    private readonly string _name = TestServers.UniqueName("bank");
    private readonly FailureLog _log = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Fault_of_a_node_that_serves_is_logged_and_ends_the_host_with_it()
    {
        await using WebApplication app = NewApplication();
        app.MapGet("/hello", () => "hello");
        app.MapKafkaEventSourcing();
        Task run = app.RunAsync(Cancellation);
        EventSourcedNode node = await app.Services.GetRequiredService<INodeAccessor>().WaitForNodeAsync(Cancellation);
        string url = await Listening(app);
        using var http = new HttpClient { BaseAddress = new Uri(url) };
        (await http.GetStringAsync("/hello", Cancellation)).ShouldBe("hello");
        var health = app.Services.GetRequiredService<HealthCheckService>();
        (await health.CheckHealthAsync(Cancellation)).Status.ShouldBe(HealthStatus.Healthy);
        var live = new TaskCompletionSource<HealthStatus>(TaskCreationOptions.RunContinuationsAsynchronously);
        app.Lifetime.ApplicationStopping.Register(() => live.TrySetResult(
            health.CheckHealthAsync(c => c.Tags.Contains("live"), CancellationToken.None).GetAwaiter().GetResult().Status));

        Task takers = Task.Run(() => TakeThePlaceOf(node), Cancellation);

        DuplicateNodeException fault = await Should.ThrowAsync<DuplicateNodeException>(run.WaitAsync(Cancellation));
        fault.NodeId.ShouldBe(NodeId);
        await takers;
        (await live.Task).ShouldBe(HealthStatus.Unhealthy);
        _log.Critical.ShouldBe([("A part of the node has stopped; the node ends", (Exception)fault)]);
        await Should.ThrowAsync<HttpRequestException>(http.GetAsync("/hello", Cancellation));
        node.Completion.IsFaulted.ShouldBeTrue();
    }

    private static async Task<string> Listening(WebApplication app)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration listening = app.Lifetime.ApplicationStarted.Register(started.SetResult);
        await started.Task.WaitAsync(Cancellation);
        return app.Urls.First();
    }

    // As another node under its id does, which Kafka gives the node's place, and the node takes back: again and again, until it gives up.
    private static void TakeThePlaceOf(EventSourcedNode node)
    {
        TopicFamily topics = node.Aggregates[0].Topics;
        var config = new ConsumerConfig
        {
            BootstrapServers = node.Addresses.Kafka,
            GroupId = $"{topics.Application}-{topics.Aggregate}",
            GroupInstanceId = NodeId,
            PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky,
            EnableAutoCommit = false,
        };
        while (!node.Completion.IsCompleted)
        {
            bool assigned = false;
            using IConsumer<byte[], byte[]> other = new ConsumerBuilder<byte[], byte[]>(config)
                .SetLogHandler((_, _) => { })
                .SetErrorHandler((_, _) => { })
                .SetPartitionsAssignedHandler((_, _) => assigned = true)
                .Build();
            other.Subscribe(topics.Commands);
            try
            {
                while (!assigned && !node.Completion.IsCompleted)
                {
                    Cancellation.ThrowIfCancellationRequested();
                    other.Consume(TimeSpan.FromMilliseconds(50));
                }
            }
            catch (KafkaException fenced) when (fenced.Error.IsFatal || fenced.Error.Code == ErrorCode.FencedInstanceId)
            {
                // the node was faster
            }
        }
    }

    private WebApplication NewApplication()
    {
        WebApplicationBuilder builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders().AddProvider(_log);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["KafkaEventSourcing:DataDirectory"] = _folder,
            ["KafkaEventSourcing:NodeId"] = NodeId,
            ["KafkaEventSourcing:Partitions"] = "2",
        });
        builder.Services.AddKafkaEventSourcing(_name, builder.Configuration.GetSection("KafkaEventSourcing"))
            .AddAggregate(Account.Definition)
            .UseEmbeddedServers();
        return builder.Build();
    }

    /// <summary>What is logged as critical.</summary>
    private sealed class FailureLog : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<(string Line, Exception? Fault)> Critical { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public bool IsEnabled(LogLevel logLevel) => logLevel == LogLevel.Critical;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Critical)
                Critical.Enqueue((formatter(state, exception), exception));
        }

        public void Dispose()
        {
        }
    }
}
