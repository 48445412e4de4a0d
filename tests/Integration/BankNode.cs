using KafkaEventSourcing.Hosting;
using Microsoft.AspNetCore.Builder;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>One node with its HTTP interface.</summary>
internal sealed class BankNode : IAsyncDisposable
{
    private readonly WebApplication _web;

    public BankNode(string name, EventSourcedNode node, WebApplication web)
    {
        (Name, Node, _web) = (name, node, web);
        Http = new HttpClient { BaseAddress = Address };
    }

    public string Name { get; }

    public EventSourcedNode Node { get; }

    public AggregateNode Part => Node.Aggregates[0];

    public Uri Address => new(_web.Urls.First());

    public HttpClient Http { get; }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync(); // its partitions first: whoever is told so looks for the next owner
        await _web.DisposeAsync();
        Http.Dispose();
    }
}
