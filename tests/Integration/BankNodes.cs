using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Http;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Several nodes of one bank, each with its HTTP interface on a free port and a state folder of its own.</summary>
internal sealed class BankNodes(TestServers servers, int partitions, TimeSpan sessionTimeout) : IAsyncDisposable
{
    private volatile IReadOnlyList<BankNode> _running = [];

    public ApplicationDefinition Application { get; init; } = BankFixture.NewBank();

    public int BarrierEvents { get; init; } = 50_000;

    /// <summary>The most command bytes that wait on a node; null: by its memory.</summary>
    public long? MaxWaitingBytes { get; init; }

    /// <summary>A node may end by itself; else that ends the test.</summary>
    public bool MayEnd { get; init; }

    public IReadOnlyList<BankNode> Running => _running;

    public async Task<BankNode> Start(string name, bool isStatic, CancellationToken cancellationToken, int standbys = 0,
        ILoggerFactory? loggers = null, string? secret = null)
    {
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(servers.Folder, Application.Name, name),
            Partitions = partitions,
            NodeId = isStatic ? name : null,
            SessionTimeout = sessionTimeout,
            Standbys = standbys,
            NodeSecret = secret,
            BarrierEvents = BarrierEvents,
            MaxWaitingBytes = MaxWaitingBytes,
            ReadModels = new ReadModelOptions { CheckInterval = TimeSpan.FromMilliseconds(500) },
        };
        EventSourcedNode node = await EventSourcedNode.StartAsync(Application, servers.Addresses, options, loggers ?? TestServers.Loggers,
            TimeProvider.System, cancellationToken);
        if (!MayEnd)
            _ = node.Completion.ContinueWith(Failed, TestContext.Current, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
                TaskScheduler.Default);
        WebApplication web = HttpInterface.Create(node, new HttpOptions { Port = 0 }, NullLoggerFactory.Instance, TimeProvider.System);
        await web.StartAsync(cancellationToken);
        var started = new BankNode(name, node, web);
        node.Advertise(started.Address);
        _running = [.. _running, started];
        return started;
    }

    public async Task Stop(BankNode node)
    {
        _running = [.. _running.Where(n => n != node)];
        await node.DisposeAsync();
    }

    /// <summary>
    /// Waits until each node that can have a partition has one: the rebalance that gives it comes after the node has started.
    /// </summary>
    public async Task<IReadOnlyDictionary<int, string>> AllServing(CancellationToken cancellationToken)
    {
        OwnerDirectory directory = _running[0].Part.Owners;
        while (true)
        {
            long[] seen = [.. Enumerable.Range(0, partitions).Select(p => directory.Find(p)?.Generation ?? -1)];
            IReadOnlyDictionary<int, string> owners = await AllServed(cancellationToken);
            if (owners.Values.Distinct().Count() == Math.Min(_running.Count, partitions))
                return owners;
            await (await Task.WhenAny(seen.Select((generation, p) => directory.AfterAsync(p, generation))).WaitAsync(cancellationToken));
        }
    }

    /// <summary>
    /// Waits until the owners topic has every partition served by one of the running nodes, at its address, and each of those in its own
    /// hands.
    /// </summary>
    public async Task<IReadOnlyDictionary<int, string>> AllServed(CancellationToken cancellationToken)
    {
        var owners = new Dictionary<int, string>();
        for (int partition = 0; partition < partitions; partition++)
        {
            OwnerDirectory directory = _running[0].Part.Owners;
            PartitionOwnership? owner = directory.Find(partition);
            while (owner is not { Status: OwnerStatus.Serving, Address: not null }
                || !_running.Any(n => n.Part.Processor.NodeId == owner.Node && n.Part.Processor.CanRead(partition, ReadConsistency.Strong)))
                owner = await directory.AfterAsync(partition, owner?.Generation ?? -1).WaitAsync(cancellationToken);
            owners[partition] = owner.Node;
        }

        return owners;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (BankNode node in _running)
            await node.DisposeAsync();
    }

    // What a test waits for may never come from a node that has ended by itself.
    private static void Failed(Task ended, object? context)
    {
        var test = (ITestContext)context!;
        test.TestOutputHelper?.WriteLine($"A node has ended by itself: {ended.Exception!.GetBaseException()}");
        test.CancelCurrentTest();
    }
}
