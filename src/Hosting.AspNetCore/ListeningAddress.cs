using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace KafkaEventSourcing.Hosting;

/// <summary>Where the web server of a host can be reached by other machines.</summary>
internal static class ListeningAddress
{
    /// <summary>
    /// The first address that the server of <paramref name="services"/> listens at, once the host has started; null: none is known.
    /// </summary>
    public static Uri? Of(IServiceProvider services) =>
        Reachable(services.GetService<IServer>()?.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault());

    // Nobody can be reached at "any address": the machine's name is put in its place.
    private static Uri? Reachable(string? bound)
    {
        if (bound is null
            || !Uri.TryCreate(bound.Replace("://*", "://[::]", StringComparison.Ordinal).Replace("://+", "://[::]",
                StringComparison.Ordinal), UriKind.Absolute, out Uri? uri))
            return null;
        return IPAddress.TryParse(uri.Host.Trim('[', ']'), out IPAddress? address)
            && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
            ? new UriBuilder(uri) { Host = Dns.GetHostName() }.Uri
            : uri;
    }
}
