using KafkaEventSourcing.Hosting.Hosts;
using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KafkaEventSourcing.Hosting;

/// <summary>Maps the HTTP interface of an application onto a web application of the user's.</summary>
public static class KafkaEventSourcingEndpointExtensions
{
    /// <summary>
    /// Maps commands, reads of aggregates and read models, and returns their group: what is required of it, such as authorization, rate
    /// limits or CORS, holds for them. The paths for other nodes of the application (<c>/_node/…</c>) are not part of the group and take no
    /// user: whoever asks there must show <see cref="KafkaEventSourcingOptions.NodeSecret"/>. Without a secret they are not mapped, and
    /// this node is not advertised: other nodes send it commands by the topic, and cannot read from it.
    /// </summary>
    /// <param name="app">The web application itself, no group of it: other nodes look for their paths at its root.</param>
    /// <param name="prefix">What the paths of the group begin with, such as <c>/bank</c>.</param>
    /// <exception cref="ArgumentException">The prefix has a parameter that the paths below it have: <c>{id}</c>.</exception>
    /// <exception cref="InvalidOperationException">No application was added, or <paramref name="app"/> is a group.</exception>
    /// <exception cref="OptionsValidationException">An option is unusable; the message names it.</exception>
    public static RouteGroupBuilder MapKafkaEventSourcing(this IEndpointRouteBuilder app, string prefix = "")
    {
        ArgumentNullException.ThrowIfNull(app);
        if (app is RouteGroupBuilder)
            throw new InvalidOperationException(
                $"{nameof(MapKafkaEventSourcing)} is called on a group; call it on the web application and give the path as its argument.");
        if (RoutePatternFactory.Parse(prefix).GetParameter("id") is not null)
            throw new ArgumentException($"The prefix '{prefix}' has the parameter 'id', which the paths below it have too: give it another "
                + "name.", nameof(prefix));
        NodeLifecycle lifecycle = app.ServiceProvider.GetService<NodeLifecycle>()
            ?? throw new InvalidOperationException(
                $"There is no application to map: call "
                    + $"services.{nameof(KafkaEventSourcingServiceExtensions.AddKafkaEventSourcing)} first.");
        KafkaEventSourcingOptions options = app.ServiceProvider.GetRequiredService<IOptions<KafkaEventSourcingOptions>>().Value;
        HttpOptions http = new HttpOptions().With(options);
        TimeProvider timeProvider = app.ServiceProvider.GetRequiredService<TimeProvider>();
        var log = new RequestLog(app.ServiceProvider.GetRequiredService<ILoggerFactory>().CreateLogger("KafkaEventSourcing.Hosting.Http"),
            timeProvider);
        var requests = new GuestRequests(lifecycle, http, log);
        RouteGroupBuilder group = app.MapGroup(prefix);
        requests.Surround(group);
        // what a policy of the application caches for all its endpoints would be an old answer to a strong read
        group.CacheOutput(policy => policy.NoCache());
        NodeHost host = app.ServiceProvider.GetRequiredService<NodeHost>();
        HttpInterface.MapApplication(group, lifecycle, http, timeProvider, isAgain: host.IsMapped);
        host.IsMapped = true;
        if (options.NodeSecret is not null && host.ReachableAt is null) // else it is mapped already, below another prefix
        {
            RouteGroupBuilder nodes = app.MapGroup("");
            requests.Surround(nodes);
            nodes.AllowAnonymous(); // a policy for whatever names none is for users
            HttpInterface.MapNodes(nodes, lifecycle);
            host.ReachableAt = () => ListeningAddress.Of(app.ServiceProvider);
        }

        return group;
    }
}
