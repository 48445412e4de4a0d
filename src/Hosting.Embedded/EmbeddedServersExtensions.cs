namespace KafkaEventSourcing.Hosting.Embedded;

/// <summary>Puts the embedded servers at an application's disposal.</summary>
public static class EmbeddedServersExtensions
{
    /// <summary>Servers that no option and no variable names are started in the application's own process.</summary>
    public static EventSourcedApplication WithEmbeddedServers(this EventSourcedApplication application)
    {
        ArgumentNullException.ThrowIfNull(application);
        return application.WithEmbeddedServers(new EmbeddedServers());
    }
}
