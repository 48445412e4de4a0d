using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Subscriptions.Tests;

/// <summary>A bank with a subscription to credits, what it has handled, and what an operator may do to its topics and its group.</summary>
internal sealed class Mailroom : IDisposable
{
    private readonly TestServers _servers;
    private readonly Channel<(string Account, long Version)> _handled = Channel.CreateUnbounded<(string, long)>();
    private readonly IAdminClient _admin;
    private readonly TopicProvisioner _provisioner;
    private int _nodes;

    public Mailroom(TestServers servers, int partitions = 1, string? name = null)
    {
        (_servers, Partitions) = (servers, partitions);
        Name = name ?? TestServers.UniqueName("bank");
        Topics = new TopicFamily(Name, "account") { Subscriptions = ["mailer"] };
        _admin = new AdminClientBuilder(servers.Addresses.KafkaConnection.Admin()).Build();
        _provisioner = new TopicProvisioner(servers.Addresses.KafkaConnection);
    }

    public string Name { get; }

    public int Partitions { get; }

    public TopicFamily Topics { get; }

    public string Ledger => Topics.Subscription("mailer");

    public string Group => $"{Name}.subscription.mailer.account";

    /// <summary>Accounts at whose events the handler throws; a version of 0: at all of them.</summary>
    public ConcurrentDictionary<string, long> Poison { get; } = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public SubscriptionOptions Options { get; set; } = new() { Attempts = 2, RetryDelay = TimeSpan.FromMilliseconds(5) };

    public SubscriptionStart From { get; set; } = SubscriptionStart.Beginning;

    public Task<EventSourcedNode> Start(Func<EventContext, CancellationToken, Task>? handle = null)
    {
        SubscriptionDefinition mailer = Subscription.Named("mailer").From(Account.Definition)
            .On<AccountCredited>((_, context, token) => handle is null ? Take(context, token) : handle(context, token))
            .StartingAt(From)
            .With(Options)
            .Build();
        return StartWith(mailer);
    }

    public Task<EventSourcedNode> StartWithout() => StartWith(null);

    public async Task Take(EventContext context, CancellationToken cancellationToken)
    {
        if (Poison.TryGetValue(context.Event.AggregateId.Value, out long version) && (version == 0 || version == context.Event.Version))
            throw new TimeoutException("The web service does not take it.");
        await _handled.Writer.WriteAsync((context.Event.AggregateId.Value, context.Event.Version), cancellationToken);
    }

    public async Task<(string Account, long Version)[]> Handled(int count)
    {
        var handled = new List<(string, long)>();
        while (handled.Count < count)
            handled.Add(await _handled.Reader.ReadAsync(Cancellation));
        return [.. handled];
    }

    /// <summary>What was handled and not asked for yet.</summary>
    public (string Account, long Version)[] Rest()
    {
        var handled = new List<(string, long)>();
        while (_handled.Reader.TryRead(out (string, long) next))
            handled.Add(next);
        return [.. handled];
    }

    public static async Task Send(EventSourcedNode node, params CommandEnvelope[] commands)
    {
        foreach (CommandEnvelope command in commands)
            await node.SendAsync(command, Cancellation);
    }

    public LedgerState Read(int partition = 0)
    {
        using var reader = new LedgerReader(_servers.Addresses.KafkaConnection, Ledger,
            wrong => throw new InvalidOperationException(wrong));
        return reader.Read(partition, Cancellation);
    }

    public SubscriptionAnswer Ask(ParkedAggregate parked, string? skipReason = null)
    {
        using var client = new SubscriptionClient(_servers.Addresses.KafkaConnection, Ledger, TimeProvider.System);
        return client.Ask(parked, skipReason is not null, "Ada", skipReason, TimeSpan.FromMinutes(1), Cancellation);
    }

    /// <summary>What a gauge says of this room's group, partition by partition.</summary>
    public long[] Measured(string gauge)
    {
        var values = new List<long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, all) =>
            {
                if (instrument.Name == gauge)
                    all.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags.ToArray().Contains(new KeyValuePair<string, object?>("group", Group)))
                values.Add(value);
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return [.. values];
    }

    public Task DeleteGroup() => _admin.DeleteGroupsAsync([Group]);

    public Task MoveGroup(long offset) => _admin.AlterConsumerGroupOffsetsAsync(
        [new ConsumerGroupTopicPartitionOffsets(Group, [new TopicPartitionOffset(Topics.Events, 0, offset)])]);

    public Task DeleteEvents(long before) => _admin.DeleteRecordsAsync([new TopicPartitionOffset(Topics.Events, 0, before)]);

    /// <summary>Deletes topics and makes them again, as they were declared.</summary>
    public async Task MakeAgain(params string[] topics)
    {
        IReadOnlyDictionary<string, TopicId> before = await TopicIds.OfAsync(_admin, topics, TimeSpan.FromSeconds(30), Cancellation);
        await _admin.DeleteTopicsAsync(topics);
        TopicDeclaration declaration = TopicDeclaration.For(Topics, Partitions, -1);
        while (await TopicIds.OfAsync(_admin, topics, TimeSpan.Zero, Cancellation) is var now
            && !topics.All(t => now.TryGetValue(t, out TopicId id) && id.Differs(before[t])))
            await _provisioner.ApplyAsync((await _provisioner.PlanAsync(declaration, Cancellation)).OnlyMissingTopics(), Cancellation);
    }

    public void Dispose()
    {
        _admin.Dispose();
        _provisioner.Dispose();
    }

    private Task<EventSourcedNode> StartWith(SubscriptionDefinition? mailer)
    {
        EventSourcedApplication application = EventSourcedApplication.Named(Name, "A bank with a mailer.").With(Account.Definition);
        if (mailer is not null)
            application.With(mailer);
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(_servers.Folder, $"{Name}-{_nodes++}"), Partitions = Partitions,
        };
        return EventSourcedNode.StartAsync(application.Build(), _servers.Addresses, options, TestServers.Loggers, TimeProvider.System,
            Cancellation);
    }
}
