using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace KafkaEventSourcing.Archive.S3;

/// <summary>Archives in S3, for the container.</summary>
public static class S3ArchiveServiceExtensions
{
    /// <summary>Lets <see cref="ArchiveStores"/> open archives at <c>s3://</c>.</summary>
    public static IServiceCollection AddS3Archive(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IArchiveStoreProvider, S3ArchiveStoreProvider>());
        services.TryAddSingleton<ArchiveStores>();
        return services;
    }
}
