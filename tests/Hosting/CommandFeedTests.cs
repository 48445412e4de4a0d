using KafkaEventSourcing.Hosting.Load;

namespace KafkaEventSourcing.Hosting.Tests;

public sealed class CommandFeedTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Send_keeps_at_most_so_many_in_flight()
    {
        var client = new ManualClient();
        using var feed = new CommandFeed(client, new CommandFeedOptions { MaxInFlight = 3 });
        Task sending = feed.SendAsync(Commands(10), Cancellation);
        for (int answered = 0; answered < 10; answered++)
        {
            TaskCompletionSource<CommandResult> oldest = await client.Next(Cancellation);
            client.MostInFlight.ShouldBeLessThanOrEqualTo(3);
            client.Answer(oldest, new CommandResult.Accepted(CommandId.Parse("c"), AggregateId.Parse("a"), 1, new ConsistencyToken(0, 0)));
        }

        await sending;
        (feed.Answered, feed.Accepted).ShouldBe((10, 10));
        client.MostInFlight.ShouldBe(3);
    }

    [Fact]
    public async Task Send_unknown_outcome_is_asked_again_under_the_same_id()
    {
        var client = new ManualClient();
        using var feed = new CommandFeed(client, new CommandFeedOptions { Attempts = 2 });
        Task sending = feed.SendAsync(Commands(1), Cancellation);
        client.Fail(await client.Next(Cancellation), new TimeoutException());
        client.Answer(await client.Next(Cancellation),
            new CommandResult.Accepted(CommandId.Parse("c"), AggregateId.Parse("a"), 1, new ConsistencyToken(0, 0)) { IsDuplicate = true });
        await sending;
        client.Sent.ShouldBe(["c0", "c0"]);
        (feed.Accepted, feed.Duplicates).ShouldBe((0, 1));
    }

    [Fact]
    public async Task Send_outcome_that_stays_unknown_is_thrown()
    {
        var client = new ManualClient();
        using var feed = new CommandFeed(client, new CommandFeedOptions { Attempts = 2 });
        Task sending = feed.SendAsync(Commands(1), Cancellation);
        client.Fail(await client.Next(Cancellation), new TimeoutException());
        client.Fail(await client.Next(Cancellation), new TimeoutException("still unknown"));
        (await Should.ThrowAsync<TimeoutException>(sending)).Message.ShouldBe("still unknown");
    }

    [Fact]
    public void Latency_quantiles_are_within_a_few_percent()
    {
        var histogram = new LatencyHistogram();
        for (int i = 1; i <= 10_000; i++)
            histogram.Record(TimeSpan.FromMicroseconds(i * 10));
        histogram.Quantile(0.5).TotalMicroseconds.ShouldBe(50_000, 5_000);
        histogram.Quantile(0.99).TotalMicroseconds.ShouldBe(99_000, 8_000);
        histogram.Max.TotalMicroseconds.ShouldBe(100_000);
        histogram.Count.ShouldBe(10_000);
    }

    [Theory]
    [InlineData(" ", 4)]
    [InlineData("data", 0)]
    public void Node_options_out_of_range_are_refused(string data, int partitions) =>
        Should.Throw<InvalidInputException>(() =>
            new KafkaEventSourcingOptions { DataDirectory = data, Partitions = partitions }.Validate());

    [Fact]
    public void Application_names_that_cannot_be_topics_are_refused()
    {
        foreach (string name in new[] { "", "Bank", "1bank", "bank.eu", new string('x', 65) })
            Should.Throw<InvalidInputException>(() => EventSourcedApplication.Named(name, "x"));
        Should.Throw<InvalidOperationException>(() => EventSourcedApplication.Named("bank", "x").Build()).Message.ShouldContain(
            "no aggregate");
    }

    private static IEnumerable<CommandEnvelope> Commands(int count) =>
        Enumerable.Range(0, count).Select(i => new CommandEnvelope(AggregateId.Parse("a"), CommandId.Parse($"c{i}"), new object()));

    /// <summary>Answers when it is told to.</summary>
    private sealed class ManualClient : ICommandClient
    {
        private readonly System.Threading.Channels.Channel<TaskCompletionSource<CommandResult>> _calls =
            System.Threading.Channels.Channel.CreateUnbounded<TaskCompletionSource<CommandResult>>();
        private readonly Lock _lock = new();
        private int _inFlight;

        public int MostInFlight { get; private set; }

        public List<string> Sent { get; } = [];

        public Task<CommandResult> SendAsync(CommandEnvelope command, CancellationToken cancellationToken)
        {
            var call = new TaskCompletionSource<CommandResult>(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_lock)
            {
                MostInFlight = Math.Max(MostInFlight, ++_inFlight);
                Sent.Add(command.CommandId.Value);
            }

            _calls.Writer.TryWrite(call);
            return call.Task;
        }

        public ValueTask<TaskCompletionSource<CommandResult>> Next(CancellationToken cancellationToken) =>
            _calls.Reader.ReadAsync(cancellationToken);

        public void Answer(TaskCompletionSource<CommandResult> call, CommandResult result)
        {
            lock (_lock)
                _inFlight--;
            call.SetResult(result);
        }

        public void Fail(TaskCompletionSource<CommandResult> call, Exception failure)
        {
            lock (_lock)
                _inFlight--;
            call.SetException(failure);
        }
    }
}
