using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

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
        paths.Order(StringComparer.Ordinal).ShouldBe(["/_node/tally/commands", "/_node/tally/events", "/_node/tally/state",
            "/new/tally/{id}/count", "/old/tally/{id}/count"]);
    }

    // Every request of the whole application, to endpoints of its own too, was answered with 500.
    [Fact]
    public async Task Application_that_is_mapped_twice_and_has_a_command_named_as_an_operation_answers_and_so_does_the_users_own()
    {
        await using WebApplication app = Guest();
        app.MapGet("/hello", () => "hello");
        app.MapKafkaEventSourcing("/old");
        app.MapKafkaEventSourcing("/new");
        await app.StartAsync(TestContext.Current.CancellationToken);
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
        (await http.GetStringAsync("/hello", TestContext.Current.CancellationToken)).ShouldBe("hello");
        foreach (string prefix in (string[])["old", "new"])
            (await http.PostAsync($"/{prefix}/tally/a/read", null, TestContext.Current.CancellationToken)).StatusCode.ShouldBe(
                HttpStatusCode.UnsupportedMediaType);
    }

    // A rejected command looked like a crashed one: 500 without a body.
    [Fact]
    public async Task Problem_details_are_the_librarys_whatever_the_JSON_of_the_application_is()
    {
        await using WebApplication app = Guest(services => services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.TypeInfoResolver = Generated.Default;
            json.SerializerOptions.NumberHandling = JsonNumberHandling.WriteAsString;
            json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.KebabCaseUpper;
            json.SerializerOptions.MaxDepth = 1;
        }));
        app.Use((context, next) =>
        {
            context.Response.Headers["X-Frame-Options"] = "DENY";
            return next(context);
        });
        app.MapKafkaEventSourcing();
        await app.StartAsync(TestContext.Current.CancellationToken);
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
        HttpResponseMessage answer = await http.PostAsync("/tally/a/count", new StringContent("{", null, "application/json"),
            TestContext.Current.CancellationToken);
        string body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest, body);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        answer.Headers.GetValues("X-Frame-Options").ShouldBe(["DENY"]);
        JsonNode problem = JsonNode.Parse(body)!;
        ((int)problem["status"]!, (string)problem["code"]!, (string)problem["title"]!).ShouldBe((400, "invalid-input", "Bad Request"));
        HttpResponseMessage starting = await http.GetAsync("/tally/a", TestContext.Current.CancellationToken);
        starting.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        starting.Headers.RetryAfter.ShouldNotBeNull();
    }

    [Fact]
    public void Prefix_with_the_parameter_of_the_paths_is_refused()
    {
        using WebApplication app = Guest();
        Should.Throw<ArgumentException>(() => app.MapKafkaEventSourcing("/t/{id}")).Message.ShouldStartWith(
            "The prefix '/t/{id}' has the parameter 'id'");
    }

    // A web application whose node is never started.
    private static WebApplication Guest(Action<IServiceCollection>? configure = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Services.AddRouting();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Bank:Kafka"] = "localhost:1", ["Bank:SchemaRegistry"] = "http://localhost:1",
        });
        ServiceDescriptor[] before = [.. builder.Services];
        builder.Services.AddKafkaEventSourcing("bank", builder.Configuration.GetSection("Bank")).AddAggregate(
            AggregateDefinition.Define("tally", new object()).Decides<Count>((_, _) => Decision.Accept(new Counted()))
                .Decides<Read>((_, _) => Decision.Accept(new Counted())).Evolves<Counted>((state, _) => state).Build());
        foreach (ServiceDescriptor hosted in builder.Services.Except(before).Where(s => s.ServiceType == typeof(IHostedService)).ToArray())
            builder.Services.Remove(hosted);
        configure?.Invoke(builder.Services);
        return builder.Build();
    }

    private sealed record Read;

    private sealed record Count;

    private sealed record Counted;
}

[JsonSerializable(typeof(string))]
internal sealed partial class Generated : JsonSerializerContext;
