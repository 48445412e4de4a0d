using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace KafkaEventSourcing.Archive.Azure;

/// <summary>Archives in Azure Blob Storage, for the container.</summary>
public static class AzureArchiveServiceExtensions
{
    /// <summary>Lets <see cref="ArchiveStores"/> open archives at <c>azblob://</c> and at addresses of containers.</summary>
    public static IServiceCollection AddAzureArchive(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IArchiveStoreProvider, AzureArchiveStoreProvider>());
        services.TryAddSingleton<ArchiveStores>();
        return services;
    }
}
