using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace KafkaEventSourcing.Hosting.Tests;

/// <summary>What is mapped onto an application of the user's.</summary>
public sealed class GuestEndpointTests
{
    // Requests between nodes ended with an AmbiguousMatchException.
    [Fact]
    public void Application_that_is_mapped_below_two_prefixes_has_the_paths_for_nodes_once()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.Services.AddRoutingCore();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Bank:Kafka"] = "localhost:1",
            ["Bank:SchemaRegistry"] = "http://localhost:1",
            ["Bank:NodeSecret"] = "a-secret-of-the-nodes-of-this-test",
        });
        builder.Services.AddKafkaEventSourcing("bank", builder.Configuration.GetSection("Bank")).AddAggregate(
            AggregateDefinition.Define("tally", new object()).Decides<Count>((_, _) => Decision.Accept(new Counted()))
                .Evolves<Counted>((state, _) => state).Build());
        using WebApplication app = builder.Build();
        app.MapKafkaEventSourcing("/old");
        app.MapKafkaEventSourcing("/new");
        string[] paths = [.. ((IEndpointRouteBuilder)app).DataSources.SelectMany(d => d.Endpoints).OfType<RouteEndpoint>().Select(e =>
            e.RoutePattern.RawText!).Where(p => p.Contains("_node") || p.EndsWith("/count", StringComparison.Ordinal))];
        paths.Order(StringComparer.Ordinal).ShouldBe(["/_node/tally/commands", "/_node/tally/state", "/new/tally/{id}/count",
            "/old/tally/{id}/count"]);
    }

    private sealed record Count;

    private sealed record Counted;
}
